//! Landlock: the process can open only files in the directories that it needs.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};

use super::paths::Paths;

/// The newest version whose rights are all about files on disk. Older kernels enforce what they
/// know.
const VERSION: ABI = ABI::V5;

/// Restricts this thread and those that it starts.
pub(super) fn restrict(paths: Paths) -> Result<(), String> {
    match enforce(&paths) {
        Ok(RulesetStatus::NotEnforced) => Err("the kernel does not have it".to_owned()),
        Ok(_) => {
            paths.are_in_force();
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

fn enforce(paths: &Paths) -> Result<RulesetStatus, landlock::RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    // The server executes nothing and makes no devices.
    let write = AccessFs::from_all(VERSION) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    let rules = Ruleset::default().handle_access(AccessFs::from_all(VERSION))?.create()?;
    let rules = rules.add_rules(path_beneath_rules(&paths.read, read))?;
    let rules = rules.add_rules(path_beneath_rules(&paths.write, write))?;
    Ok(rules.restrict_self()?.ruleset)
}
