// Checks a history of compare-and-set registers with Porcupine, for `zoobreak bench checker
// --porcupine PROGRAM`, and prints its verdict, the check's processor seconds, and the most bytes that
// this process held during it and those before it.
//
// Its arguments: the file, and the processor seconds and MiB that the check may take; past them the
// kernel or Go's runtime ends the program. A line of the file is one operation, in whole numbers:
// key, start, end (-1: never answered), f (0 read, 1 write, 2 cas), its arguments x and y, result
// (0 unknown, 1 a value, 2 done, 3 refused), the value read (-1: nil).
//
// Written for github.com/anishathalye/porcupine at 55508eb, the first to know Hash.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/anishathalye/porcupine"
)

type input struct{ key, f, x, y int64 }
type output struct{ result, value int64 }

func main() {
	operations := load(os.Args[1])
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	held, before := resident("VmRSS:"), used()
	limit(syscall.RLIMIT_CPU, uint64(before)+1+number(os.Args[2]))
	limit(syscall.RLIMIT_AS, number(os.Args[3])<<20)
	verdict, rounds := "", 0
	for rounds == 0 || used()-before < 0.1 {
		verdict = map[bool]string{true: "valid", false: "invalid"}[porcupine.CheckOperations(register, operations)]
		rounds++
	}
	fmt.Println(verdict, (used()-before)/float64(rounds), resident("VmHWM:"), held)
}

// The state is the value, -1 for nil.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[int64][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(input).key
			keys[key] = append(keys[key], operation)
		}
		var parts [][]porcupine.Operation
		for _, part := range keys {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() interface{} { return int64(-1) },
	Hash: func(state interface{}) uint64 { return uint64(state.(int64)) * 0x9e3779b97f4a7c15 },
	Step: func(state, asked, answered interface{}) (bool, interface{}) {
		held, in, out := state.(int64), asked.(input), answered.(output)
		switch {
		case in.f == 0:
			return out.value == held, held
		case in.f == 1:
			return true, in.x
		case in.x == held:
			return out.result != 3, in.y
		default:
			return out.result != 2, held
		}
	},
}

// Operations that were never answered may take effect at any time, or after everything.
func load(path string) []porcupine.Operation {
	text, err := os.ReadFile(path)
	check(err)
	var operations []porcupine.Operation
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var n [8]int64
		for i, word := range strings.Fields(line) {
			n[i], err = strconv.ParseInt(word, 10, 64)
			check(err)
		}
		if n[2] < 0 {
			n[2] = 1 << 60
		}
		operations = append(operations, porcupine.Operation{
			Input: input{n[0], n[3], n[4], n[5]}, Call: n[1],
			Output: output{n[6], n[7]}, Return: n[2],
		})
	}
	return operations
}

// Processor seconds of this process, the garbage collector's included.
func used() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func resident(name string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	_, after, _ := strings.Cut(string(text), name)
	return number(strings.Fields(after)[0]) << 10
}

func limit(resource int, most uint64) {
	check(syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most}))
}

func number(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
