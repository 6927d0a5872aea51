//! The process title: what `ps` shows, written over the command line of this process, never beyond it. Which title is the
//! caller's part.

use std::ffi::CString;

use crate::process::threads;

/// Shows `title` in the place of the command line, and its beginning as the name of the calling thread. Cosmetic: where the
/// kernel does not say where the command line lies, `ps` goes on showing it.
///
/// Does nothing in a process with several threads, as one of them may be reading what is overwritten.
pub fn set(title: &str) {
    if threads().unwrap_or(0) != 1 {
        return;
    }
    let bytes: Vec<u8> = title.bytes().map(|byte| if byte == 0 { b'?' } else { byte }).collect();
    let short: Vec<u8> = bytes.iter().copied().take(15).collect();
    if let Ok(name) = CString::new(short) {
        // prctl(2) with a valid string does not fail.
        let _ = rustix::thread::set_name(&name);
    }
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some((start, end)) = argument_area(&stat) {
        overwrite(start, end, &bytes);
    }
}

/// `arg_start` and `arg_end` (fields 48 and 49 of proc_pid_stat(5)).
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    // The second field is the command's name in parentheses, which may itself hold blanks and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(48 - 3);
    let start = fields.next()?.parse().ok()?;
    let end = fields.next()?.parse().ok()?;
    (start != 0 && start < end).then_some((start, end))
}

fn overwrite(start: usize, end: usize, title: &[u8]) {
    let length = end - start;
    // The last byte stays NUL: otherwise the kernel shows the environment behind it as well (proc_pid_cmdline(5)).
    let kept = title.len().min(length - 1);
    let area = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: execve(2) laid the argument strings out in [start, end) of this process's own stack, which stays mapped and
    // writable as long as the process lives. Python has copied them before it runs any code, and what the C library keeps is
    // pointers that it only reads as strings, which still end with a NUL. There is one thread (`set` has looked).
    unsafe {
        std::ptr::write_bytes(area, 0, length);
        std::ptr::copy_nonoverlapping(title.as_ptr(), area, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_area_is_found_behind_any_name() {
        let rest = (3..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(argument_area(&format!("12 (a) b) {rest}")), Some((48, 49)));
        assert_eq!(argument_area("12 (a) S 1 2"), None);
        assert_eq!(argument_area(""), None);
        let zeros = ["0"; 50].join(" ");
        assert_eq!(argument_area(&format!("12 (a) {zeros}")), None);
    }

    #[test]
    fn pr_2_a_title_stays_inside_the_command_line() {
        for title in ["", "x", "(wsgi:site)", "longer than the whole command line"] {
            let mut memory = *b"python\0-c\0x\0HOME=/";
            let start = memory.as_mut_ptr().expose_provenance();
            overwrite(start, start + 12, title.as_bytes());
            assert_eq!(memory[12..], *b"HOME=/");
            let kept = title.len().min(11);
            assert_eq!(memory[..kept], title.as_bytes()[..kept]);
            assert!(memory[kept..12].iter().all(|byte| *byte == 0));
        }
    }
}
