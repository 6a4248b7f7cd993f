//! The zone of each served file, kept in the state directory. A restart needs it when both a file
//! and its last good copy are broken: names of that zone must not be answered from another one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::last_good::write_durably;
use super::{NotKept, lines, private};
use crate::background;
use crate::config::ServedFile;
use crate::model::{HostedZoneId, Name, VpcId, ZoneIdentity};

/// The name of the file in the state directory.
const FILE: &str = "zone-index";
/// The first line: the type of the file and the version of its format.
const HEADER: &str = "fiftythree zones 1";
/// The size limit when reading, in bytes: enough for a million files.
const MOST_BYTES: u64 = 1 << 30;

/// The index.
#[derive(Clone, Debug)]
pub(super) struct ZoneIndex {
    path: PathBuf,
}

/// A line in its JSON form.
#[derive(Serialize, Deserialize)]
struct FileLine {
    file: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<ZoneLine>,
}

#[derive(Serialize, Deserialize)]
struct ZoneLine {
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vpcs: Vec<String>,
}

impl ZoneIndex {
    /// The index in this state directory. The file is created when something is kept.
    pub(super) fn new(state: &Path) -> ZoneIndex {
        ZoneIndex { path: state.join(FILE) }
    }

    /// The entries of the files in `zones`.
    pub(super) fn read(&self, zones: &Path) -> Vec<ServedFile> {
        let bytes = match private::read(&self.path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::error!("{} cannot be read: {error}", self.path.display());
                return Vec::new();
            }
        };
        let (found, damage) = lines::read(&bytes, HEADER);
        if let Some(damage) = damage {
            tracing::error!("{} is damaged: {damage}; {} intact lines are used", self.path.display(), found.len());
        }
        let files = found.iter().filter_map(|line| ServedFile::try_from(parse(line)?).ok());
        files.filter(|file| file.path.parent() == Some(zones)).collect()
    }

    /// Replaces the entries of the files in `zones` with those of `served` that are in it. Durable
    /// on return.
    pub(super) fn keep(&self, zones: &Path, served: &[ServedFile]) -> Result<(), NotKept> {
        self.write(zones, served).map_err(|error| NotKept::new(&self.path, error))
    }

    fn write(&self, zones: &Path, served: &[ServedFile]) -> io::Result<()> {
        let before = private::read(&self.path, MOST_BYTES).unwrap_or_default();
        // Entries of other zones directories are kept.
        let mut kept = lines::read(&before, HEADER).0;
        kept.retain(|line| parse(line).is_some_and(|line| line.file.parent() != Some(zones)));
        let served = background::yielding(served).filter(|file| file.path.parent() == Some(zones));
        kept.extend(served.filter_map(|file| serde_json::to_string(&FileLine::from(file)).ok()));
        kept.sort_unstable();
        let text = lines::text(HEADER, kept);
        if text.as_bytes() == before {
            return Ok(());
        }
        let state = self.path.parent().unwrap_or(Path::new(""));
        private::make_state_directory(state)?;
        write_durably(&self.path, text.as_bytes())?;
        File::open(state)?.sync_all()
    }
}

fn parse(line: &str) -> Option<FileLine> {
    serde_json::from_str(line).ok()
}

impl From<&ServedFile> for FileLine {
    fn from(served: &ServedFile) -> FileLine {
        let zone = served.zone.as_ref().map(|zone| ZoneLine {
            id: zone.id.0.clone(),
            name: zone.name.to_string(),
            vpcs: zone.vpcs.iter().map(|vpc| vpc.0.clone()).collect(),
        });
        FileLine { file: served.path.clone(), zone }
    }
}

impl TryFrom<FileLine> for ServedFile {
    type Error = crate::model::NameError;

    fn try_from(line: FileLine) -> Result<ServedFile, Self::Error> {
        let zone = line.zone.map(|ZoneLine { id, name, vpcs }| {
            let vpcs = vpcs.into_iter().map(VpcId).collect();
            Ok(ZoneIdentity { id: HostedZoneId(id), name: Name::parse(&name)?, vpcs })
        });
        Ok(ServedFile { path: line.file, zone: zone.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn served(path: &str, zone: Option<(&str, &[&str])>) -> ServedFile {
        let zone = zone.map(|(name, vpcs)| ZoneIdentity {
            id: HostedZoneId(format!("Z{}", name.len())),
            name: Name::parse(name).unwrap(),
            vpcs: vpcs.iter().map(|vpc| VpcId((*vpc).to_owned())).collect(),
        });
        ServedFile { path: path.into(), zone }
    }

    #[test]
    fn what_is_kept_is_read_and_written_only_when_it_is_other_than_before() {
        let state = tempfile::tempdir().unwrap();
        let index = ZoneIndex::new(&state.path().join("state"));
        let zones = Path::new("/zones");
        assert_eq!(index.read(zones), []);
        let files = [
            served("/zones/a b.toml", Some((r"a\040b.test", &[]))),
            served("/zones/checks.toml", None),
            served("/zones/ü.toml", Some(("corp.test", &["vpc-1", "vpc-2"]))),
        ];
        index.keep(zones, &files).unwrap();
        assert_eq!(index.read(zones), files);
        let written = fs::metadata(&index.path).unwrap().modified().unwrap();
        index.keep(zones, &files).unwrap();
        assert_eq!(fs::metadata(&index.path).unwrap().modified().unwrap(), written);
        let others = [served("/others/a.toml", Some(("a.test", &[])))];
        index.keep(Path::new("/others"), &others).unwrap();
        index.keep(zones, &files[..1]).unwrap();
        assert_eq!((index.read(zones), index.read(Path::new("/others"))), (files[..1].to_vec(), others.to_vec()));
    }

    #[test]
    fn lines_that_are_damaged_are_left_out_and_the_others_count() {
        let state = tempfile::tempdir().unwrap();
        let index = ZoneIndex::new(state.path());
        let zones = Path::new("/zones");
        let files = ["/zones/a.toml", "/zones/b.toml", "/zones/c.toml"].map(|path| served(path, Some(("a.test", &[]))));
        index.keep(zones, &files).unwrap();
        let bytes = fs::read(&index.path).unwrap();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            fs::write(&index.path, damaged).unwrap();
            let found = index.read(zones);
            // A changed line end merges two lines.
            assert!(!found.is_empty() && found.iter().all(|file| files.contains(file)), "byte {place}: {found:?}");
            fs::write(&index.path, &bytes[..place]).unwrap();
            assert!(index.read(zones).iter().all(|file| files.contains(file)));
        }
        fs::remove_file(&index.path).unwrap();
        fs::create_dir(&index.path).unwrap();
        assert_eq!(index.read(zones), []);
    }
}
