//! From lines to steps.

use std::str::FromStr;
use std::time::Duration;

use super::{Event, Harm, Role, Scenario, Sign, Step, Who};

/// A line that is no step.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}, `{text}`: {what}")]
pub struct ScenarioError {
    /// Its number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong, and what there is instead.
    pub what: String,
}

const AWAIT_WITHIN: Duration = Duration::from_secs(10);

const HARMS: [(&str, Harm); 5] = [
    ("kill", Harm::Kill),
    ("pause", Harm::Pause),
    ("isolate", Harm::Isolate),
    ("power-cut", Harm::PowerCut),
    ("slow-disk", Harm::SlowDisk),
];

const ROLES: [(&str, Role); 9] = [
    ("leader", Role::Leader),
    ("another", Role::Another),
    ("follower", Role::Follower),
    ("minority", Role::Minority),
    ("rest", Role::Rest),
    ("newest", Role::Newest),
    ("most-behind", Role::MostBehind),
    ("quorum-critical", Role::QuorumCritical),
    ("all", Role::All),
];

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        let (mut steps, mut names) = (Vec::new(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if !text.is_empty() {
                let failed = |what| ScenarioError { line, text: text.to_owned(), what };
                steps.push((text.to_owned(), step(text, &mut names).map_err(failed)?));
            }
        }
        if steps.is_empty() {
            let (text, what) = (String::new(), "there is no step in it".to_owned());
            return Err(ScenarioError { line: 1, text, what });
        }
        Ok(Scenario { steps })
    }
}

fn step(text: &str, names: &mut Vec<String>) -> Result<Step, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["name", of, "as", name] => {
            let of = who(of, names)?;
            Ok(Step::Name(of, give(name, names)?))
        }
        ["heal", "everything"] => Ok(Step::HealEverything),
        ["heal", healed @ ..] if !healed.is_empty() => {
            let list = healed.join(" ");
            let healed: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
            healed.iter().try_for_each(|name| known(name, names))?;
            Ok(Step::Heal(healed))
        }
        ["wait", time] => Ok(Step::Wait(duration(time)?)),
        ["await", awaited @ .., "within", time] => {
            Ok(Step::Await(event(text, awaited, names)?, duration(time)?))
        }
        ["await", awaited @ ..] => Ok(Step::Await(event(text, awaited, names)?, AWAIT_WITHIN)),
        [harm, of] => Ok(Step::Break(one_of("step", harm, &HARMS)?, who(of, names)?, None)),
        [harm, of, "as", name] => {
            let (harm, of) = (one_of("step", harm, &HARMS)?, who(of, names)?);
            Ok(Step::Break(harm, of, Some(give(name, names)?)))
        }
        _ => {
            Err("a step is `kill WHO`, `kill WHO as NAME`, `heal NAME, NAME`, `heal everything`, \
                  `name WHO as NAME`, `wait TIME` or `await WHAT within TIME`"
                .to_owned())
        }
    }
}

fn event(text: &str, words: &[&str], names: &[String]) -> Result<Event, String> {
    match words {
        ["settled"] => Ok(Event::Settled),
        [count, "answers"] => {
            count.parse().map(Event::Answers).map_err(|_| format!("`{count}` is no number"))
        }
        [of, "leads"] => Ok(Event::Leads(who(of, names)?)),
        [of, "changes", files] => {
            let files = files.split('|').map(str::to_owned).collect();
            Ok(Event::Shows(who(of, names)?, Sign::Changes(files)))
        }
        [of, "logs", ..] => match text.split('"').collect::<Vec<_>>().as_slice() {
            [_, said, _] if !said.is_empty() => {
                Ok(Event::Shows(who(of, names)?, Sign::Logs(vec![(*said).to_owned()])))
            }
            _ => Err("what is logged stands in \"…\"".to_owned()),
        },
        _ => Err(
            "what can be awaited: `settled`, `N answers`, `WHO leads`, `WHO changes FILE|FILE`, \
                  `WHO logs \"TEXT\"`"
                .to_owned(),
        ),
    }
}

fn who(text: &str, names: &[String]) -> Result<Who, String> {
    let role = |word: &str| {
        if names.iter().any(|name| name == word) {
            return Ok(Role::Named(word.to_owned()));
        }
        let (known, named) = (ROLES.map(|(name, _)| name).join(", "), names.join(", "));
        let found = ROLES.into_iter().find(|(name, _)| *name == word);
        found.map(|(_, role)| role).ok_or_else(|| {
            format!("nobody is called `{word}`; there are: {known}; named so far: {named}")
        })
    };
    text.split('|').map(role).collect()
}

fn give(name: &str, names: &mut Vec<String>) -> Result<String, String> {
    if ROLES.iter().any(|(role, _)| *role == name) || name == "everything" {
        return Err(format!("`{name}` means something else already"));
    }
    names.push(name.to_owned());
    Ok(name.to_owned())
}

fn known(name: &String, names: &[String]) -> Result<(), String> {
    match names.contains(name) {
        true => Ok(()),
        false => Err(format!("nobody is called `{name}`; named so far: {}", names.join(", "))),
    }
}

/// `200ms`, `5s`.
fn duration(text: &str) -> Result<Duration, String> {
    let of = |unit: &str| text.strip_suffix(unit).and_then(|number| number.parse().ok());
    of("ms")
        .map(Duration::from_millis)
        .or_else(|| of("s").map(Duration::from_secs))
        .filter(|time| *time <= Duration::from_secs(600))
        .ok_or_else(|| format!("`{text}` is no time of at most 600s: write 200ms or 5s"))
}

fn one_of<T: Clone>(what: &str, word: &str, table: &[(&str, T)]) -> Result<T, String> {
    let found = table.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        format!(
            "there is no {what} `{word}`; there are: {}, name, heal, wait, await",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::BUILT_IN;

    #[test]
    fn what_is_built_in_can_be_read() {
        for (name, text) in BUILT_IN {
            let scenario: Result<Scenario, _> = text.parse();
            assert!(scenario.is_ok_and(|read| read.steps.len() > 3), "{name}");
        }
    }

    #[test]
    fn each_kind_of_line_has_its_meaning() {
        let text =
            "kill minority|leader as late # why\n\nawait late logs \"a b\" within 300ms\nheal late";
        let read: Scenario = text.parse().expect("it is right");
        let late = || vec![Role::Named("late".into())];
        let steps: Vec<_> = read.steps.into_iter().map(|(_, step)| step).collect();
        let logs = Event::Shows(late(), Sign::Logs(vec!["a b".into()]));
        assert_eq!(
            steps,
            [
                Step::Break(Harm::Kill, vec![Role::Minority, Role::Leader], Some("late".into())),
                Step::Await(logs, Duration::from_millis(300)),
                Step::Heal(vec!["late".into()]),
            ]
        );
    }

    #[test]
    fn a_wrong_line_is_named_with_what_there_is_instead() {
        let told = |text: &str| match text.parse::<Scenario>() {
            Ok(read) => panic!("{read:?}"),
            Err(error) => error.to_string(),
        };
        for (text, part) in [
            ("", "there is no step in it"),
            ("kil leader", "line 1, `kil leader`: there is no step `kil`; there are: kill, pause"),
            ("wait 1s\nkill folower", "line 2, `kill folower`: nobody is called `folower`"),
            ("heal late", "nobody is called `late`; named so far: "),
            ("kill leader as rest", "`rest` means something else already"),
            ("wait 5", "`5` is no time"),
            ("await dawn", "what can be awaited: `settled`"),
            ("await leader logs x", "what is logged stands in"),
            ("kill", "a step is `kill WHO`"),
        ] {
            assert!(told(text).contains(part), "{}", told(text));
        }
    }
}
