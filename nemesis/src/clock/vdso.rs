//! The page of code that the kernel gives to every process: an ELF image. See vdso(7), elf(5).

use std::collections::BTreeMap;

/// A function that tells the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    ClockGettime,
    Gettimeofday,
    Time,
}

/// Where things are in the image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vdso {
    pub(super) entries: BTreeMap<usize, Function>,
    /// Where our code may go: nothing but zeros from there on.
    pub(super) room: usize,
}

/// Opcode of `jmp rel32`.
pub(super) const JUMP: u8 = 0xe9;
pub(super) const JUMP_LEN: usize = 5;
pub(super) type Jump = [u8; JUMP_LEN];

/// The instruction that jumps from one address to another in the same page.
pub(super) fn jump(from: u64, to: u64) -> Jump {
    let distance = to.wrapping_sub(from + JUMP_LEN as u64) as u32;
    let [a, b, c, d] = distance.to_le_bytes();
    [JUMP, a, b, c, d]
}

impl Vdso {
    /// Finds the functions, and room for `code`; if the page has our code already, its place.
    pub(super) fn parse(image: &[u8], code: &[u8]) -> Result<Vdso, &'static str> {
        let entries = entries(image).ok_or("the vDSO is no ELF image as we know it")?;
        if entries.is_empty() {
            return Err("the vDSO has no function for the time");
        }
        let room = room(image, code).ok_or("the vDSO has no room for our code")?;
        Ok(Vdso { entries, room })
    }
}

/// The two words of data in front of our code differ from process to process.
const DATA_LEN: usize = 16;

fn room(image: &[u8], code: &[u8]) -> Option<usize> {
    let body = code.get(DATA_LEN..).unwrap_or_default();
    let known = (!body.is_empty()).then(|| image.windows(body.len()).position(|w| w == body));
    if let Some(at) = known.flatten() {
        return at.checked_sub(DATA_LEN);
    }
    let used = image.iter().rposition(|byte| *byte != 0)? + 1;
    // Whole cache lines, and a distance to what might be zeros of the last function.
    let room = (used + 64).next_multiple_of(64);
    (room + code.len() <= image.len()).then_some(room)
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;

fn entries(image: &[u8]) -> Option<BTreeMap<usize, Function>> {
    if image.get(..5)? != b"\x7fELF\x02" {
        return None;
    }
    let (headers, n_headers) = (word(image, 32)? as usize, half(image, 56)?);
    let header = |kind: u64| {
        let all = (0..n_headers).map(|i| headers.wrapping_add(i * 56));
        all.into_iter().find(|at| word(image, *at).is_some_and(|w| w & 0xffff_ffff == kind))
    };
    let (load, dynamic) = (header(PT_LOAD)?, header(PT_DYNAMIC)?);
    let base = word(image, load.wrapping_add(16))?.wrapping_sub(word(image, load.wrapping_add(8))?);
    let table = word(image, dynamic.wrapping_add(8))? as usize;
    let dynamic = |tag: u64| {
        let mut all = (0..64).map(|i| table.wrapping_add(i * 16));
        let at = all.find(|at| word(image, *at) == Some(tag))?;
        Some(word(image, at.wrapping_add(8))?.wrapping_sub(base) as usize)
    };
    let (symbols, names) = (dynamic(DT_SYMTAB)?, dynamic(DT_STRTAB)?);
    let mut found = BTreeMap::new();
    // The names follow the symbols, in every vDSO that was ever linked.
    for symbol in (symbols..names).step_by(24).skip(1) {
        let name = names.wrapping_add((word(image, symbol)? & 0xffff_ffff) as usize);
        let name = image.get(name..)?.split(|byte| *byte == 0).next()?;
        if let Some(function) = function(name) {
            found
                .insert(word(image, symbol.wrapping_add(8))?.wrapping_sub(base) as usize, function);
        }
    }
    Some(found)
}

fn function(name: &[u8]) -> Option<Function> {
    match name {
        b"__vdso_clock_gettime" | b"clock_gettime" => Some(Function::ClockGettime),
        b"__vdso_gettimeofday" | b"gettimeofday" => Some(Function::Gettimeofday),
        b"__vdso_time" | b"time" => Some(Function::Time),
        _ => None,
    }
}

fn word(image: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(image.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn half(image: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(image.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_relative_to_its_end() {
        assert_eq!(jump(0x1000, 0x1005), [JUMP, 0, 0, 0, 0]);
        assert_eq!(jump(0x1000, 0x1000), [JUMP, 0xfb, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn scraps_and_other_files_are_no_vdso() {
        let mut torn = b"\x7fELF\x02".to_vec();
        for len in 0..200 {
            torn.resize(len.max(5), 0xff);
            assert!(Vdso::parse(&torn, b"code").is_err(), "{len}");
        }
        assert!(Vdso::parse(&[0; 8192], b"code").is_err());
    }

    #[test]
    fn the_page_of_this_process_has_the_functions_and_room() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("proc is there");
        let line = maps.lines().find(|l| l.ends_with("[vdso]")).expect("x86-64 has one");
        let (start, end) = line.split(' ').next().and_then(|r| r.split_once('-')).expect("a range");
        let address = |text| u64::from_str_radix(text, 16).expect("an address");
        let mut image = vec![0; (address(end) - address(start)) as usize];
        let memory = std::fs::File::open("/proc/self/mem").expect("proc is there");
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut image, address(start))
            .expect("it is mapped");
        let code: Vec<u8> = (1..=200).collect();
        let vdso = Vdso::parse(&image, &code).expect("it is an image");
        assert!(vdso.entries.len() >= 3, "{vdso:?}");
        image[vdso.room..][..code.len()].copy_from_slice(&code);
        assert_eq!(Vdso::parse(&image, &code).map(|again| again.room), Ok(vdso.room));
    }
}
