//! Which licences are open, by their SPDX identifier.
//!
//! Sources: the SPDX licence list 3.28.0 (`data/spdx.txt`) for the flags of the Open Source Initiative
//! and the Free Software Foundation; the Model Openness Tool's list of open data licences.

/// Licences for data that count as open though no software body lists them.
const OPEN_DATA: [&str; 31] = [
    "CC0-1.0",
    "CC-BY-1.0",
    "CC-BY-2.0",
    "CC-BY-2.5",
    "CC-BY-2.5-AU",
    "CC-BY-3.0",
    "CC-BY-3.0-AT",
    "CC-BY-3.0-AU",
    "CC-BY-3.0-DE",
    "CC-BY-3.0-IGO",
    "CC-BY-3.0-NL",
    "CC-BY-3.0-US",
    "CC-BY-4.0",
    "CC-BY-SA-1.0",
    "CC-BY-SA-2.0",
    "CC-BY-SA-2.0-UK",
    "CC-BY-SA-2.1-JP",
    "CC-BY-SA-2.5",
    "CC-BY-SA-3.0",
    "CC-BY-SA-3.0-AT",
    "CC-BY-SA-4.0",
    "CDLA-Permissive-1.0",
    "CDLA-Permissive-2.0",
    "CDLA-Sharing-1.0",
    "ODC-PDDL-1.0",
    "ODC-By-1.0",
    "ODbL-1.0",
    "GFDL-1.3",
    "OGL-Canada-2.0",
    "OGL-UK-2.0",
    "OGL-UK-3.0",
];

/// Made for models: code, data and documents alike.
const OPEN_MODEL: [&str; 2] = ["OpenMDW-1.0", "OpenMDW-1.1"];

/// Whether a licence counts as open: approved, called free, an open data licence, or OpenMDW.
pub(crate) fn is_open_spdx(id: &str) -> bool {
    let same = |known: &&str| known.eq_ignore_ascii_case(id);
    flags(id).is_some() || OPEN_DATA.iter().chain(&OPEN_MODEL).any(same)
}

/// The canonical spelling of an SPDX identifier that the Open Source Initiative approved.
pub(crate) fn osi_spdx(id: &str) -> Option<&'static str> {
    flags(id).filter(|(_, flags)| flags.contains('O')).map(|(name, _)| name)
}

fn flags(id: &str) -> Option<(&'static str, &'static str)> {
    let lines = include_str!("../../data/spdx.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).find(|(name, _)| name.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for open in
            ["MIT", "apache-2.0", "CC-BY-4.0", "CC-BY-3.0-NL", "OpenMDW-1.0", "GPL-3.0", "IPL-1.0"]
        {
            assert!(is_open_spdx(open), "{open}");
        }
        for closed in ["CC-BY-NC-4.0", "CC-BY-ND-3.0", "Soundex", "llama3.1", "", "O", "# SPDX"] {
            assert!(!is_open_spdx(closed), "{closed}");
        }
        assert_eq!(osi_spdx("gpl-3.0"), Some("GPL-3.0"));
        assert_eq!(osi_spdx("cc-by-4.0"), None);
    }
}
