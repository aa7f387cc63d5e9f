//! The code that is put into a process: position independent, without a stack frame of its own.

use super::vdso::Function;

/// The code, and the distances of its parts from its beginning.
pub(super) struct Layout {
    pub(super) bytes: &'static [u8],
    /// The offset in nanoseconds, eight bytes.
    pub(super) offset: u64,
    /// Address of the counter of wrong answers, eight bytes; 0: do not count.
    pub(super) counter: u64,
    /// A breakpoint, where a call made from outside ends.
    pub(super) trap: u64,
    /// A system call followed by a breakpoint.
    pub(super) syscall: u64,
    clock_gettime: u64,
    gettimeofday: u64,
    time: u64,
}

impl Layout {
    pub(super) fn function(&self, function: Function) -> u64 {
        match function {
            Function::ClockGettime => self.clock_gettime,
            Function::Gettimeofday => self.gettimeofday,
            Function::Time => self.time,
        }
    }

    pub(super) fn get() -> Layout {
        let start = &raw const x86::zoobreak_clock;
        let distance = |part: *const u8| part as u64 - start as u64;
        let end = &raw const x86::zoobreak_clock_end;
        // SAFETY: both symbols are in the same read-only section, the second after the first.
        let bytes = unsafe { std::slice::from_raw_parts(start, distance(end) as usize) };
        Layout {
            bytes,
            offset: 0,
            counter: 8,
            trap: distance(&raw const x86::zoobreak_clock_trap),
            syscall: distance(&raw const x86::zoobreak_clock_syscall),
            clock_gettime: distance(&raw const x86::zoobreak_clock_gettime),
            gettimeofday: distance(&raw const x86::zoobreak_clock_gettimeofday),
            time: distance(&raw const x86::zoobreak_clock_time),
        }
    }
}

mod x86 {
    unsafe extern "C" {
        pub(super) static zoobreak_clock: u8;
        pub(super) static zoobreak_clock_gettime: u8;
        pub(super) static zoobreak_clock_gettimeofday: u8;
        pub(super) static zoobreak_clock_time: u8;
        pub(super) static zoobreak_clock_syscall: u8;
        pub(super) static zoobreak_clock_trap: u8;
        pub(super) static zoobreak_clock_end: u8;
    }

    // The kernel is asked instead of its shared page, so that nothing of the old functions is needed.
    // `CLOCK_REALTIME` (0) and `CLOCK_REALTIME_COARSE` (5) get the offset, the others do not.
    core::arch::global_asm!(
        r#"
        .section .rodata.zoobreak_clock, "a"
        .balign 16
        .globl zoobreak_clock
        .globl zoobreak_clock_gettime
        .globl zoobreak_clock_gettimeofday
        .globl zoobreak_clock_time
        .globl zoobreak_clock_syscall
        .globl zoobreak_clock_trap
        .globl zoobreak_clock_end
    zoobreak_clock:
    .Lzoobreak_offset:
        .quad 0
    .Lzoobreak_counter:
        .quad 0
    zoobreak_clock_gettime:
    .Lzoobreak_gettime:
        mov eax, 228
        syscall
        test eax, eax
        jne 9f
        test edi, edi
        je 2f
        cmp edi, 5
        jne 9f
    2:
        mov r8, qword ptr [rip + .Lzoobreak_offset]
        test r8, r8
        je 9f
        imul rax, qword ptr [rsi], 1000000000
        add rax, qword ptr [rsi + 8]
        add rax, r8
        cqo
        mov ecx, 1000000000
        idiv rcx
        mov qword ptr [rsi], rax
        mov qword ptr [rsi + 8], rdx
        xor eax, eax
        mov rcx, qword ptr [rip + .Lzoobreak_counter]
        test rcx, rcx
        je 9f
        lock inc qword ptr [rcx]
        xor eax, eax
    9:
        ret
    zoobreak_clock_gettimeofday:
        test rdi, rdi
        je 8f
        push rdi
        sub rsp, 16
        mov rsi, rsp
        xor edi, edi
        call .Lzoobreak_gettime
        mov rcx, qword ptr [rsp]
        mov rax, qword ptr [rsp + 8]
        add rsp, 16
        pop rdi
        mov qword ptr [rdi], rcx
        xor edx, edx
        mov ecx, 1000
        div rcx
        mov qword ptr [rdi + 8], rax
    8:
        xor eax, eax
        ret
    zoobreak_clock_time:
        push rdi
        sub rsp, 16
        mov rsi, rsp
        xor edi, edi
        call .Lzoobreak_gettime
        mov rax, qword ptr [rsp]
        add rsp, 16
        pop rdi
        test rdi, rdi
        je 7f
        mov qword ptr [rdi], rax
    7:
        ret
    zoobreak_clock_syscall:
        syscall
        int3
    zoobreak_clock_trap:
        int3
        .balign 8
    zoobreak_clock_end:
        .text
        "#
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_in_one_piece_and_begins_with_its_data() {
        let layout = Layout::get();
        assert!((100..400).contains(&layout.bytes.len()), "{}", layout.bytes.len());
        assert_eq!(layout.bytes[..16], [0; 16]);
        assert_eq!(layout.function(Function::ClockGettime), 16);
        assert_eq!(layout.bytes[layout.trap as usize], 0xcc);
        assert_eq!(layout.bytes[layout.syscall as usize..][..3], [0x0f, 0x05, 0xcc]);
    }
}
