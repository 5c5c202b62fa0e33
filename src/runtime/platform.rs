//! Platform tags (PEP 425, 600, 656) as what a starting Python compares itself with.

use std::fmt::Write as _;

use super::literal::{push_str, push_tuple};

/// What a platform tag asks of the machine.
#[derive(Debug, PartialEq, Eq)]
struct Needs<'a> {
    /// As in Python's `sys.platform`.
    system: &'a str,
    machines: Vec<&'a str>,
    libc: Libc,
}

#[derive(Debug, PartialEq, Eq)]
enum Libc {
    Unspecified,
    /// At least this version.
    Glibc(u16, u16),
    /// Its version is not compared: asking for it means running the loader.
    Musl,
    /// At least this major version of the kernel, which follows macOS's.
    Darwin(u16),
}

/// Writes a platform tag with its parts as a tuple, `None` for `any`.
pub(super) fn push_platform(text: &mut String, tag: &str) {
    if tag == "any" {
        text.push_str("None");
        return;
    }
    let needs = parse(tag).unwrap_or(Needs { system: tag, machines: Vec::new(), libc: Libc::Unspecified });
    text.push('(');
    push_str(text, tag);
    text.push_str(", ");
    push_str(text, needs.system);
    text.push_str(", ");
    push_tuple(text, &needs.machines, |text, machine| push_str(text, machine));
    // Writing to a String cannot fail.
    let _ = match needs.libc {
        Libc::Unspecified => write!(text, ", None, None)"),
        Libc::Glibc(major, minor) => write!(text, ", \"glibc\", ({major}, {minor}))"),
        Libc::Musl => write!(text, ", \"musl\", None)"),
        Libc::Darwin(major) => write!(text, ", None, {major})"),
    };
}

fn parse(tag: &str) -> Option<Needs<'_>> {
    let linux = |machine, libc| Some(Needs { system: "linux", machines: vec![machine], libc });
    for (alias, minor) in [("manylinux1_", 5), ("manylinux2010_", 12), ("manylinux2014_", 17)] {
        if let Some(machine) = tag.strip_prefix(alias) {
            return linux(machine, Libc::Glibc(2, minor));
        }
    }
    if let Some(rest) = tag.strip_prefix("manylinux_") {
        let (major, minor, machine) = split_version(rest)?;
        return linux(machine, Libc::Glibc(major, minor));
    }
    if let Some(rest) = tag.strip_prefix("musllinux_") {
        let (_, _, machine) = split_version(rest)?;
        return linux(machine, Libc::Musl);
    }
    if let Some(machine) = tag.strip_prefix("linux_") {
        return linux(machine, Libc::Unspecified);
    }
    if let Some(rest) = tag.strip_prefix("macosx_") {
        let (major, minor, machine) = split_version(rest)?;
        // Darwin 19 is macOS 10.15, 20 is 11, 24 is 15, and 25 is 26.
        let darwin = match major {
            10 => minor.checked_add(4)?,
            26.. => major - 1,
            _ => major.checked_add(9)?,
        };
        let machines = match machine {
            "universal2" => vec!["arm64", "x86_64"],
            "intel" | "universal" => vec!["x86_64"],
            _ => vec![machine],
        };
        return Some(Needs { system: "darwin", machines, libc: Libc::Darwin(darwin) });
    }
    let machine = match tag {
        "win32" => "win32",
        "win_amd64" => "win-amd64",
        "win_arm64" => "win-arm64",
        _ => return None,
    };
    Some(Needs { system: "win32", machines: vec![machine], libc: Libc::Unspecified })
}

/// `2_28_x86_64` as 2, 28 and `x86_64`.
fn split_version(text: &str) -> Option<(u16, u16, &str)> {
    let (major, rest) = text.split_once('_')?;
    let (minor, machine) = rest.split_once('_')?;
    Some((major.parse().ok()?, minor.parse().ok()?, machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_tags_with_their_parts() {
        for (tag, expected) in [
            ("any", "None"),
            ("manylinux_2_28_x86_64", r#"("manylinux_2_28_x86_64", "linux", ("x86_64",), "glibc", (2, 28))"#),
            ("manylinux2014_aarch64", r#"("manylinux2014_aarch64", "linux", ("aarch64",), "glibc", (2, 17))"#),
            ("musllinux_1_2_x86_64", r#"("musllinux_1_2_x86_64", "linux", ("x86_64",), "musl", None)"#),
            ("linux_armv7l", r#"("linux_armv7l", "linux", ("armv7l",), None, None)"#),
            ("macosx_10_9_universal2", r#"("macosx_10_9_universal2", "darwin", ("arm64", "x86_64"), None, 13)"#),
            ("macosx_11_0_arm64", r#"("macosx_11_0_arm64", "darwin", ("arm64",), None, 20)"#),
            ("macosx_26_0_arm64", r#"("macosx_26_0_arm64", "darwin", ("arm64",), None, 25)"#),
            ("win_amd64", r#"("win_amd64", "win32", ("win-amd64",), None, None)"#),
            ("manylinux_x_y_z", r#"("manylinux_x_y_z", "manylinux_x_y_z", (), None, None)"#),
            ("plan9_mips", r#"("plan9_mips", "plan9_mips", (), None, None)"#),
        ] {
            let mut text = String::new();
            push_platform(&mut text, tag);
            assert_eq!(text, expected);
        }
    }
}
