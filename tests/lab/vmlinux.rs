//! Takes the kernel proper out of a Debian `vmlinuz`. The emulated machine would need more than two seconds for
//! unpacking it, which is as long as the rest of its boot.

use crate::{Context, Result, output};
use std::{fs, path::Path, process::Command};

/// Writes `to`; `Ok(false)` where the file is packed in a way not known here. QEMU boots either form.
pub fn extract(vmlinuz: &Path, to: &Path) -> Result<bool> {
    let bytes = fs::read(vmlinuz).context(vmlinuz.display())?;
    let Some(payload) = payload(&bytes) else {
        return Ok(false);
    };
    let (program, flag) = match payload {
        [0xfd, b'7', b'z', ..] => ("xz", "-dc"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", "-dcq"),
        [0x1f, 0x8b, ..] => ("gzip", "-dc"),
        _ => return Ok(false),
    };
    let packed = to.with_extension("packed");
    fs::write(&packed, payload).context(packed.display())?;
    let script = format!("{program} {flag} < \"$1\" > \"$2\"");
    let done = output(Command::new("sh").args(["-c", &script, "sh"]).arg(&packed).arg(to));
    fs::remove_file(&packed).context(packed.display())?;
    Ok(done.is_ok())
}

/// By the boot protocol's header (2.08 and newer).
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let setup_sectors = match *bytes.get(0x1f1)? {
        0 => 4,
        n => usize::from(n),
    };
    let start = (setup_sectors + 1) * 512 + word(0x248)?;
    // The last four bytes are the unpacked size, put there by the kernel's build.
    bytes.get(start..start + word(0x24c)?.checked_sub(4)?)
}
