//! Starts a program once and forks it for every command line: preloaded (`LD_PRELOAD`), it takes the place of `main`.
//!
//! In the lab a program start costs 50 ms and more, nearly all of it linking, while what ipvsadm does takes three. Each
//! command is a process of its own all the same, forked before the first line of the program's own `main`, and its exit
//! status is what `waitpid` says.
//!
//! On stdin, numbers in native order: u32 count of words; for each u32 length and bytes; u32 length and bytes of its
//! stdin. On stdout for each: i32 wait status, u32 length and bytes of what it wrote to stdout and stderr. It ends with
//! stdin.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{Read, Write};
use std::sync::OnceLock;

type Main = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;
type Hook = Option<unsafe extern "C" fn()>;
type Start = unsafe extern "C" fn(Main, c_int, *mut *mut c_char, Hook, Hook, Hook, *mut c_void) -> c_int;

static PROGRAM: OnceLock<Main> = OnceLock::new();

/// # Safety
/// Called by the program's first instructions, as the C library's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __libc_start_main(
    main: Main,
    argc: c_int,
    argv: *mut *mut c_char,
    init: Hook,
    fini: Hook,
    end: Hook,
    stack: *mut c_void,
) -> c_int {
    PROGRAM.set(main).expect("a program has one start");
    // SAFETY: the next symbol of this name is the C library's, which has this type.
    unsafe {
        let real = libc::dlsym(libc::RTLD_NEXT, c"__libc_start_main".as_ptr());
        assert!(!real.is_null());
        let real: Start = std::mem::transmute(real);
        real(serve, argc, argv, init, fini, end, stack)
    }
}

unsafe extern "C" fn serve(_: c_int, _: *mut *mut c_char, env: *mut *mut c_char) -> c_int {
    // SAFETY: one thread. What the program starts shall not fork like this.
    unsafe { libc::unsetenv(c"LD_PRELOAD".as_ptr()) };
    settle();
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    while let Some(count) = number(&mut input) {
        let words: Vec<CString> =
            (0..count).map(|_| CString::new(bytes(&mut input)).expect("no zero")).collect();
        let (from, to) = (memory(), memory());
        let text = bytes(&mut input);
        // SAFETY: plain calls on descriptors of our own; the child has the one thread there is.
        unsafe {
            assert_eq!(libc::write(from, text.as_ptr().cast(), text.len()), text.len() as isize);
            assert_eq!(libc::lseek(from, 0, libc::SEEK_SET), 0);
            let child = libc::fork();
            assert!(child >= 0, "fork");
            if child == 0 {
                for (file, place) in [(from, 0), (to, 1), (to, 2)] {
                    libc::dup2(file, place);
                }
                let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
                argv.push(std::ptr::null_mut());
                let argv = argv.leak();
                std::mem::forget((input, output, words));
                return PROGRAM.get().expect("set")(count as c_int, argv.as_mut_ptr(), env);
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            let length = libc::lseek(to, 0, libc::SEEK_END) as usize;
            let mut said = vec![0; length];
            assert_eq!(libc::pread(to, said.as_mut_ptr().cast(), length, 0), length as isize);
            libc::close(from);
            libc::close(to);
            let length = (length as u32).to_ne_bytes();
            let reply = [&status.to_ne_bytes()[..], &length[..], &said].concat();
            output.write_all(&reply).and_then(|()| output.flush()).expect("a reader");
        }
    }
    0
}

/// Moves a large program's code and constants out of its file into anonymous memory, in huge pages. What is a file's a
/// fork leaves to be faulted in again, in hundreds of faults per command, each of which is dear in an emulated machine;
/// anonymous memory it hands on, two megabytes at a time.
fn settle() {
    let (Ok(own), Ok(maps)) =
        (std::fs::read_link("/proc/self/exe"), std::fs::read_to_string("/proc/self/maps"))
    else {
        return;
    };
    for line in maps.lines().filter(|line| line.ends_with(&*own.to_string_lossy())) {
        let mut words = line.split_whitespace();
        let ends = words.next().and_then(|range| range.split_once('-')).map(|(start, end)| {
            [start, end].map(|hex| usize::from_str_radix(hex, 16).expect("addresses are in hex"))
        });
        let (Some([start, end]), Some(rights)) = (ends, words.next()) else { continue };
        let rights = match rights {
            "r-xp" => libc::PROT_READ | libc::PROT_EXEC,
            "r--p" => libc::PROT_READ,
            _ => continue,
        };
        let size = end - start;
        if size < 2 << 20 {
            continue;
        }
        // SAFETY: the range is the program's, of which no line has run; this code is the library's. It holds the same
        // bytes afterwards, at the same place.
        unsafe {
            let kept = std::slice::from_raw_parts(start as *const u8, size).to_vec();
            let (place, private) = (start as *mut c_void, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let write = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mmap(place, size, write, private | libc::MAP_FIXED, -1, 0), place);
            // Where there are no huge pages small ones do.
            libc::madvise(place, size, libc::MADV_HUGEPAGE);
            std::ptr::copy_nonoverlapping(kept.as_ptr(), place.cast(), size);
            assert_eq!(libc::mprotect(place, size, rights), 0);
        }
    }
}

fn memory() -> c_int {
    // SAFETY: makes a descriptor.
    let file = unsafe { libc::memfd_create(c"zygote".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(file >= 0, "memfd");
    file
}

fn number(input: &mut impl Read) -> Option<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).ok()?;
    Some(u32::from_ne_bytes(bytes))
}

fn bytes(input: &mut impl Read) -> Vec<u8> {
    let mut bytes = vec![0; number(input).expect("a length") as usize];
    input.read_exact(&mut bytes).expect("as many bytes");
    bytes
}
