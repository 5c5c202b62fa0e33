//! Which of several wheels of one version fits a target best.

/// The index of the wheel whose tags come first in `tags` (best first); between builds of one wheel the higher build
/// number (PEP 427). Without tags a lone wheel is taken as it is.
pub(super) fn choose_wheel(filenames: &[&str], tags: &[String]) -> Option<usize> {
    if tags.is_empty() {
        return (filenames.len() == 1).then_some(0);
    }
    let ranked = filenames.iter().enumerate().filter_map(|(index, filename)| {
        let (build, wheel_tags) = read_file_name(filename)?;
        let rank = tags.iter().position(|tag| wheel_tags.contains(tag))?;
        Some((rank, std::cmp::Reverse(build), index))
    });
    ranked.min().map(|(.., index)| index)
}

/// The build number and the tags of a wheel, compressed sets spelled out (PEP 425).
fn read_file_name(filename: &str) -> Option<((u64, String), Vec<String>)> {
    let stem = filename.strip_suffix(".whl")?;
    let parts: Vec<&str> = stem.split('-').collect();
    let ([_, _, python, abi, platform] | [_, _, _, python, abi, platform]) = parts[..] else { return None };
    let build = if parts.len() == 6 { parts[2] } else { "" };
    let digits = build.bytes().take_while(u8::is_ascii_digit).count();
    let number = (build[..digits].parse().unwrap_or(0), build[digits..].to_owned());
    let mut tags = Vec::new();
    for python in python.split('.') {
        for abi in abi.split('.') {
            tags.extend(platform.split('.').map(|platform| format!("{python}-{abi}-{platform}")));
        }
    }
    Some((number, tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_tag_and_the_highest_build() {
        let tags = ["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_17_x86_64", "py3-none-any"]
            .map(str::to_owned);
        let choose = |names: &[&str]| choose_wheel(names, &tags).map(|index| names[index].to_owned());
        let native = "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        assert_eq!(choose(&["a-1-py2.py3-none-any.whl", native]).as_deref(), Some(native));
        assert_eq!(
            choose(&["a-1-9-py3-none-any.whl", "a-1-10b-py3-none-any.whl", "a-1-10a-py3-none-any.whl"]).as_deref(),
            Some("a-1-10b-py3-none-any.whl")
        );
        assert_eq!(choose(&["a-1-cp312-cp312-win_amd64.whl", "a.whl"]), None);
        assert_eq!(choose_wheel(&["a-1-cp312-cp312-win_amd64.whl"], &[]), Some(0));
    }
}
