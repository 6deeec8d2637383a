//! The policy `freehold policy init` begins with: strict where it costs little, and every key there is.

/// A sound policy, with comments.
pub(super) const POLICY: &str = r#"# Which models may be pulled and run here. Asked before every pull and run; what it decides is in the audit log.
# Verdicts: "allow", "warn", "ask" (a person has to say yes at a terminal), "deny".
# freehold policy check          whether this file can be read (one that cannot allows nothing)
# freehold policy explain MODEL  every rule that speaks, with clause and source
schema = "freehold-policy/1"
serial = 1

# Facts that licences make a difference by. What is not stated is not known.
[organisation]
# name = "Example"
# region = "EU"
# use = "commercial"             # commercial | research | personal
# annual_revenue_usd = 4_000_000
# monthly_active_users = 12_000
# military = "no"

[defaults]
unknown_licence = "ask"
unknown_term = "warn"
finding = "warn"                 # a name and a text that disagree, and the like

[sources]
# allow = ["hf:Qwen/*", "hf:mistralai/*", "dir:/srv/models/*", "house:*"]
deny = []

[formats]
deny = ["pickle"]
remote_code = "warn"             # code that a model brings; it is never run here

[templates]
# allow = ["sha256 of a reviewed chat template"]
# other = "ask"
deny = []

[licence]
deny_classes = ["non-commercial"]
ask_classes = []
deny = []
ask = []
require_osi = []                 # gates at which only licences the OSI approved pass

[openness]
# run = 2                        # 0 closed … 3 free weights … 6 data and code too

[memory]
# memory_max = "64GiB"
# disk_max = "500GiB"
# download_max = "100GiB"

[audit]
on_failure = "deny"              # when a decision cannot be logged

# A recorded exception: for one rule, one model or licence, until a day.
# [[waiver]]
# id = "w-2026-01"
# by = "Ada Lovelace"
# reason = "research project until spring"
# rule = "licence.deny_classes"
# model = "org/model"
# from = "2026-11-21"
# until = "2027-03-31"
"#;

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_one_begins_with_is_sound() {
        policy::Policy::parse(super::POLICY).unwrap();
        // Also with everything that is commented out as an example.
        let keys = [
            "# name",
            "# region",
            "# use",
            "# annual",
            "# monthly",
            "# military",
            "# run",
            "# memory_max",
            "# disk_max",
            "# download_max",
            "# other",
            "# allow = [\"hf",
            "# [[waiver",
            "# id",
            "# by",
            "# reason",
            "# rule",
            "# model",
            "# from",
            "# until",
        ];
        let whole: String = super::POLICY
            .lines()
            .flat_map(|line| {
                let is_example = keys.iter().any(|key| line.starts_with(key));
                [if is_example { &line[2..] } else { line }, "\n"]
            })
            .collect();
        policy::Policy::parse(&whole).unwrap();
    }
}
