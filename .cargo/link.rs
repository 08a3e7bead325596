//! How the program is linked; Cargo.toml names this as its build script.
//!
//! What cron starts every minute is short-lived: as a position-independent program it spends more on its 17,000
//! relocations, page by page, than on most of its work. Linked to a fixed address it has none, and starts in half the
//! time where page faults are dear, as on a virtual director. Its stack, heap and libraries are at random addresses
//! all the same.

fn main() {
    println!("cargo:rerun-if-changed=.cargo/link.rs");
    // Where all is linked statically there is another way to say it.
    let is = |name, value| std::env::var(name).as_deref() == Ok(value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
