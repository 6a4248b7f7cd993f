//! Writes hosted zones: the members of a zone in its file, and the whole file of a new zone.

use std::sync::Arc;

use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::members::{self, Member, Members, list, string};
use super::{EditError, References, blocks, document, record};
use crate::config::zones::{default_record_sets, written_keys};
use crate::config::{DnsSettings, SourceFile, id, tree};
use crate::model::{
    HostedZone, Name, RecordSetProtection, Region, ResourceRecordSet, TrafficPolicyInstance, VpcId, ZoneAttachments,
};

/// The text of `file`, which defines `before`, changed so that its zone has the id, comment, VPCs,
/// caller reference, tags and attachments of `after`. The record sets stay.
///
/// An id that is derived from the VPCs is written before they change, so that it stays the same.
pub fn edit_zone_members(file: &SourceFile, before: &HostedZone, after: &HostedZone) -> Result<String, EditError> {
    if written_keys(file).zone.as_ref() != Some(&before.name) {
        return Err(EditError::Changed);
    }
    let text = &*file.text;
    let end = tree::plain(text).and_then(|root| blocks::start_of_tables(&root, text)).unwrap_or(text.len());
    let (head, tables) = text.split_at(end);
    let mut document = document::parse(head)?;
    members::update(document.as_table_mut(), &members(before), &members(after));
    update_vpcs(document.as_table_mut(), before, after)?;
    Ok(document::print(&document, head) + tables)
}

/// The file of a new zone. Its default record sets are left out if `dns` gives the same ones.
pub fn new_zone_text(zone: &HostedZone, dns: &DnsSettings, references: &References<'_>) -> String {
    text_with(zone, &written_sets(zone, dns), references)
}

/// The file of a zone with all its record sets, also those that are default ones.
pub fn zone_text(zone: &HostedZone, references: &References<'_>) -> String {
    text_with(zone, &zone.record_sets.iter().collect::<Vec<_>>(), references)
}

fn text_with(zone: &HostedZone, sets: &[&Arc<ResourceRecordSet>], references: &References<'_>) -> String {
    let mut text = members::lines(&head(zone));
    for set in sets {
        text.push('\n');
        text.push_str(&record::text(set, &zone.name, references));
    }
    for group in &zone.record_groups {
        text.push('\n');
        text.push_str(&record::group_text(group, &zone.name));
    }
    text
}

/// The members of a new zone.
pub(super) fn head(zone: &HostedZone) -> Members {
    let name = zone.name.to_string();
    let vpcs: Array = zone.vpcs.iter().map(|vpc| element(&vpc.0, region(zone, vpc))).collect();
    let is_derived = zone.id == id::zone_id(&zone.name, &zone.vpcs);
    let mut head = vec![
        ("name", Member::of(string(name.strip_suffix('.').unwrap_or(&name)))),
        // What a program creates has an id of its own.
        ("id", Member::or_default(string(&zone.id.0), is_derived)),
        ("vpcs", Member::optional(zone.is_private().then_some(vpcs))),
    ];
    head.extend(members(zone).into_iter().filter(|(key, _)| *key != "id"));
    head
}

/// The record sets without the default ones, or all if the settings would add others.
pub fn written_sets<'z>(zone: &'z HostedZone, dns: &DnsSettings) -> Vec<&'z Arc<ResourceRecordSet>> {
    let defaults = default_record_sets(&zone.with_record_sets(Vec::new()), dns);
    let rest: Vec<_> = zone.record_sets.iter().filter(|set| !defaults.contains(set)).collect();
    let added = default_record_sets(&zone.with_record_sets(rest.iter().copied().cloned().collect()), dns);
    let left_out = zone.record_sets.len() - rest.len();
    let is_same =
        added.len() == left_out && added.iter().all(|set| zone.record_sets.iter().any(|other| **other == *set));
    if is_same { rest } else { zone.record_sets.iter().collect() }
}

/// The members but the name, which never changes, and the VPCs, which can be written by name.
fn members(zone: &HostedZone) -> Members {
    let is_derived = zone.id == id::zone_id(&zone.name, &zone.vpcs);
    vec![
        ("id", Member::or_default(string(&zone.id.0), is_derived)),
        ("comment", Member::optional(zone.comment.as_deref().map(string))),
        ("caller_reference", Member::optional(zone.caller_reference.as_deref().map(string))),
        ("tags", Member::tags(&zone.tags)),
    ]
    .into_iter()
    .chain(attachments(zone))
    .collect()
}

fn attachments(zone: &HostedZone) -> Members {
    let ZoneAttachments { authorized_vpcs, delegation_set, query_logging, accelerated_recovery, .. } =
        &*zone.attachments;
    let ZoneAttachments { protections, policy_instances, .. } = &*zone.attachments;
    let authorized: Array = list(authorized_vpcs.iter().map(|(vpc, region)| element(&vpc.0, *region)));
    let query_logging = query_logging.as_ref().map(|config| {
        let members = [("id", string(&config.id)), ("log_group", string(&config.log_group))];
        members.into_iter().collect::<InlineTable>()
    });
    let protected = list(protections.iter().map(|protection| self::protection(protection, &zone.name).into()));
    let instances = list(policy_instances.iter().map(|instance| self::instance(instance, &zone.name).into()));
    vec![
        ("authorized_vpcs", Member::optional((!authorized_vpcs.is_empty()).then_some(authorized))),
        ("delegation_set", Member::optional(delegation_set.as_ref().map(|id| string(&id.0)))),
        ("query_logging", Member::optional(query_logging)),
        ("accelerated_recovery", Member::optional(*accelerated_recovery)),
        ("protections", Member::optional((!protections.is_empty()).then_some(protected))),
        ("traffic_policy_instances", Member::optional((!policy_instances.is_empty()).then_some(instances))),
    ]
}

fn instance(instance: &TrafficPolicyInstance, zone: &Name) -> InlineTable {
    let TrafficPolicyInstance { id, name, ttl, policy, version, record_type } = instance;
    let members = [
        ("id", string(id)),
        ("name", string(&record::relative(name, zone))),
        ("type", record_type.as_str().into()),
        ("ttl", i64::from(*ttl).into()),
        ("policy", string(&policy.0)),
        ("version", i64::from(*version).into()),
    ];
    members.into_iter().collect()
}

fn protection(protection: &RecordSetProtection, zone: &Name) -> InlineTable {
    let RecordSetProtection { name, record_type, comment } = protection;
    let mut members = vec![("name", string(&record::relative(name, zone))), ("type", record_type.as_str().into())];
    members.extend(comment.as_ref().map(|comment| ("comment", string(comment))));
    members.into_iter().collect()
}

/// Changes the list of VPCs. Those that stay are written as before, by name or id.
fn update_vpcs(root: &mut dyn TableLike, before: &HostedZone, after: &HostedZone) -> Result<(), EditError> {
    if (&before.vpcs, &before.vpc_regions) == (&after.vpcs, &after.vpc_regions) {
        return Ok(());
    }
    if !after.is_private() {
        root.remove("vpcs");
        return Ok(());
    }
    if let Some(tables @ Item::ArrayOfTables(_)) = root.get_mut("vpcs") {
        tables.make_value();
    }
    let written = root.get_mut("vpcs").and_then(Item::as_array_mut);
    let old: Vec<Value> = written.as_ref().map(|list| list.iter().cloned().collect()).unwrap_or_default();
    // A file without errors has each VPC once, in the order of the model.
    if old.len() != before.vpcs.len() {
        return Err(EditError::Changed);
    }
    let vpcs = after.vpcs.iter().map(|vpc| {
        let old = before.vpcs.iter().position(|other| other == vpc).map(|at| &old[at]);
        match old {
            Some(old) if region(before, vpc) == region(after, vpc) => old.clone(),
            old => element(old.and_then(written_name).unwrap_or(&vpc.0), region(after, vpc)),
        }
    });
    match written {
        Some(list) => replace(list, vpcs.collect()),
        None => drop(root.insert("vpcs", Item::Value(vpcs.collect::<Array>().into()))),
    }
    Ok(())
}

/// Replaces the elements; a list of lines stays one.
fn replace(list: &mut Array, elements: Vec<Value>) {
    let prefix = list.iter().last().and_then(|last| last.decor().prefix()?.as_str()?.rsplit_once('\n'));
    let indentation = prefix.map(|(_, spaces)| format!("\n{spaces}"));
    list.clear();
    for mut element in elements {
        match &indentation {
            Some(indentation) if element.decor().prefix().is_none() => element.decor_mut().set_prefix(indentation),
            _ => {}
        }
        list.push_formatted(element);
    }
    if indentation.is_none() && !list.to_string().contains('\n') {
        list.fmt();
    }
}

fn element(name: &str, region: Option<Region>) -> Value {
    let Some(region) = region else { return string(name) };
    [("id", string(name)), ("region", region.name().into())].into_iter().collect::<InlineTable>().into()
}

/// The name or id by which an element refers to a VPC.
fn written_name(element: &Value) -> Option<&str> {
    element.as_str().or_else(|| element.as_inline_table()?.get("id")?.as_str())
}

fn region(zone: &HostedZone, vpc: &VpcId) -> Option<Region> {
    zone.vpc_regions.iter().find(|(other, _)| other == vpc).map(|(_, region)| *region)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Settings, read_zones};
    use crate::model::{
        Content, DelegationSetId, HostedZoneId, QueryLoggingConfig, RecordData, RecordGroup, RecordType, RoutingPolicy,
        Tags, WhenAllUnhealthy,
    };

    const SETTINGS: &str = "[dns]\nlisten = ['127.0.0.1:5300']\n[[vpc]]\nname = 'lab'\nid = 'vpc-lab1'\nregion = \
                            'eu-central-1'\ncidrs = ['10.53.0.0/16']\n";
    const VPCS: [&str; 3] = ["vpc-lab1", "vpc-0123abcd", "vpc-0123456789abcdef0"];
    const ZONE: &str = "# The lab's zone.\nname = \"lab.test\" # its apex\ncomment = 'old' # kept\n\n# The web server.\n\
                        [[record]]\nname = \"www\"\ntype = \"A\"\nttl = 60\nvalues = [\"192.0.2.1\"] # one\n";

    fn settings() -> Settings {
        Settings::read(&SourceFile::new(PathBuf::from("fiftythree.toml"), SETTINGS)).0.unwrap()
    }

    fn file(text: &str) -> SourceFile {
        SourceFile::new(PathBuf::from("lab.test.toml"), text)
    }

    fn read(text: &str) -> HostedZone {
        let reading = read_zones(&[file(text)], &settings());
        let errors: Vec<_> = reading.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        HostedZone::clone(&reading.configuration.zones[0].zone)
    }

    /// Edits the text, and holds what it then defines against the change itself.
    fn edited(text: &str, change: impl FnOnce(&mut HostedZone)) -> String {
        let before = read(text);
        let mut after = before.clone();
        change(&mut after);
        let edited = edit_zone_members(&file(text), &before, &after).unwrap();
        assert_eq!(read(&edited), after, "{edited}");
        edited
    }

    fn vpc(number: usize) -> VpcId {
        VpcId(VPCS[number].to_owned())
    }

    fn ireland() -> Region {
        Region::from_name("eu-west-1").unwrap()
    }

    #[test]
    fn only_the_members_that_differ_are_edited() {
        assert_eq!(edited(ZONE, |_| {}), ZONE);
        let changed = edited(ZONE, |zone| zone.comment = Some("new".to_owned()));
        assert_eq!(changed, ZONE.replace("'old'", "\"new\""));
        let changed = edited(ZONE, |zone| zone.comment = None);
        assert_eq!(changed, ZONE.replace("comment = 'old' # kept\n", ""));
        let changed = edited(ZONE, |zone| {
            zone.caller_reference = Some("r1".to_owned());
            zone.tags.insert("cost center".to_owned(), "7".to_owned());
        });
        let added = "# kept\ncaller_reference = \"r1\"\ntags = { \"cost center\" = \"7\" }\n";
        assert_eq!(changed, ZONE.replace("# kept\n", added));
        assert_eq!(
            edited("name = 'lab.test'", |zone| zone.comment = Some("x".to_owned())),
            "name = 'lab.test'\ncomment = \"x\"\n"
        );
    }

    #[test]
    fn tags_are_edited_one_by_one() {
        let change = |zone: &mut HostedZone| {
            zone.tags.remove("A");
            zone.tags.insert("B".to_owned(), "new".to_owned());
            zone.tags.insert("C".to_owned(), "c".to_owned());
        };
        let inline = edited("name = 'lab.test'\ntags = { A = 'a', B = 'b' } # the tags\n", change);
        assert_eq!(inline, "name = 'lab.test'\ntags = { B = \"new\", C = \"c\" } # the tags\n");
        let table = edited("name = 'lab.test'\n[tags] # the tags\nA = 'a'\nB = 'b' # b\n", change);
        assert_eq!(table, "name = 'lab.test'\n[tags] # the tags\nB = \"new\" # b\nC = \"c\"\n");
        let dotted = edited("name = 'lab.test'\ntags.A = 'a'\ntags.B = 'b' # b\n", change);
        assert_eq!(dotted, "name = 'lab.test'\ntags.B = \"new\" # b\ntags.C = \"c\"\n");
        let lines = edited("name = 'lab.test'\ntags = {\n  A = 'a',\n  B = 'b', # b\n}\n", change);
        assert!(lines.contains("\n  B = \"new\"") && lines.contains("# b\n"), "{lines}");
    }

    #[test]
    fn a_derived_id_is_written_before_the_vpcs_change() {
        let private = "name = 'lab.test'\nvpcs = ['lab']\n";
        let before = read(private);
        let changed = edited(private, |zone| {
            zone.vpcs.push(vpc(1));
            zone.vpc_regions.push((vpc(1), ireland()));
        });
        let vpcs = "vpcs = ['lab', { id = \"vpc-0123abcd\", region = \"eu-west-1\" }]\n";
        assert_eq!(changed, format!("name = 'lab.test'\n{vpcs}id = \"{}\"\n", before.id.0));
        let back = edited(&changed, |zone| {
            zone.vpcs.remove(1);
            zone.vpc_regions.clear();
        });
        assert_eq!(back, changed.replace(vpcs, "vpcs = ['lab']\n"), "a written id stays");
        let lines = "name = 'lab.test'\nid = 'Z1'\nvpcs = [\n  \"vpc-0123abcd\", # one\n  \"lab\",\n]\n";
        let changed = edited(lines, |zone| zone.vpcs.push(vpc(2)));
        assert_eq!(changed, lines.replace("  \"lab\",\n", "  \"lab\",\n  \"vpc-0123456789abcdef0\",\n"));
        let tables = "name = 'lab.test'\n[[vpcs]]\nid = 'lab'\nregion = 'eu-central-1'\n";
        assert!(edited(tables, |zone| zone.vpcs.push(vpc(2))).contains("'lab'"));
    }

    #[test]
    fn what_programs_attach_is_written_in_the_head_of_the_file() {
        let attach = |zone: &mut HostedZone| {
            let attachments = Arc::make_mut(&mut zone.attachments);
            attachments.accelerated_recovery = Some(false);
            let name = Name::parse("www.lab.test").unwrap();
            let comment = Some("the shop".to_owned());
            attachments.protections.push(RecordSetProtection { name, record_type: RecordType::A, comment });
        };
        let changed = edited(ZONE, attach);
        let added = "# kept\naccelerated_recovery = false\nprotections = [{ name = \"www\", type = \"A\", comment = \
                     \"the shop\" }]\n";
        assert_eq!(changed, ZONE.replace("# kept\n", added));
        assert_eq!(edited(&changed, |zone| zone.attachments = Arc::default()), ZONE);
        let tables = format!("{ZONE}[[protections]]\nname = '@'\ntype = 'MX'\n");
        assert!(edited(&tables, attach).contains("{ name = \"@\", type = \"MX\" }"));
    }

    #[test]
    fn a_file_of_another_zone_is_refused() {
        let before = read(ZONE);
        for other in ["name = 'other.test'\n", "[[health_check]]\nname = 'a'\ntype = 'manual'\nstatus = 'healthy'\n"] {
            assert_eq!(edit_zone_members(&file(other), &before, &before), Err(EditError::Changed));
        }
    }

    #[test]
    fn a_new_file_has_the_zone_and_no_default_record_sets() {
        let mut zone = read("name = 'lab.test'\n");
        zone.id = HostedZoneId("Z0123".to_owned());
        zone.caller_reference = Some("r1".to_owned());
        let new = |zone: &HostedZone| {
            let text = new_zone_text(zone, &settings().dns, &References::default());
            let mut defined = read(&text);
            let place = |set: &Arc<ResourceRecordSet>| zone.record_sets.iter().position(|other| other == set);
            defined.record_sets.sort_by_key(place);
            assert_eq!(defined, *zone, "{text}");
            text
        };
        assert_eq!(new(&zone), "name = \"lab.test\"\nid = \"Z0123\"\ncaller_reference = \"r1\"\n");
        let www = read(ZONE).record_sets.swap_remove(0);
        zone.record_groups.push(RecordGroup {
            name: www.name.clone(),
            record_type: RecordType::A,
            when_all_unhealthy: WhenAllUnhealthy::None,
            failback_delay: std::time::Duration::from_secs(5),
            slow_start: std::time::Duration::ZERO,
        });
        zone.record_sets.push(www);
        zone.vpcs = vec![vpc(0), vpc(1)];
        zone.vpc_regions = vec![(vpc(1), ireland())];
        let text = new(&zone);
        assert_eq!((text.matches("[[record]]").count(), text.matches("[[record_group]]").count()), (1, 1), "{text}");
        // The SOA record names the default server.
        let ns = zone.record_sets.iter().position(|set| set.record_type == RecordType::Ns).unwrap();
        zone.record_sets[ns] = Arc::new(ResourceRecordSet {
            name: Name::parse("lab.test").unwrap(),
            record_type: RecordType::Ns,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: Content::Records {
                ttl: 60,
                values: vec![RecordData::parse(RecordType::Ns, "ns.elsewhere.test.").unwrap()],
            },
            health_check: None,
        });
        zone.default_addresses.clear();
        assert_eq!(new(&zone).matches("[[record]]").count(), 3);
        zone.record_sets.retain(|set| set.record_type == RecordType::Soa || set.record_type == RecordType::Ns);
        zone.record_groups.clear();
        assert_eq!(new(&zone).matches("[[record]]").count(), 2);
    }

    fn any_tags() -> impl Strategy<Value = Tags> {
        prop::collection::btree_map("[a-cä ._:/=+@-]{1,4}", "[a-z0-9 .]{0,4}", 0..4)
    }

    fn any_vpcs() -> impl Strategy<Value = Vec<(usize, bool)>> {
        (prop::sample::subsequence(vec![0, 1, 2], 0..=3), any::<[bool; 3]>())
            .prop_flat_map(|(chosen, regions)| (Just(chosen).prop_shuffle(), Just(regions)))
            .prop_map(|(chosen, regions)| chosen.into_iter().map(|number| (number, regions[number])).collect())
    }

    type AnyMembers = (Option<String>, Option<String>, Tags, Vec<(usize, bool)>, Option<bool>, ZoneAttachments);

    fn any_members() -> impl Strategy<Value = AnyMembers> {
        (
            prop::option::of("\\PC{0,5}|[\"'\\\\\n\r\t#x\u{7f}]{0,5}"),
            prop::option::of("\\PC{1,9}"),
            any_tags(),
            any_vpcs(),
            any::<Option<bool>>(),
            any_attachments(),
        )
    }

    fn any_attachments() -> impl Strategy<Value = ZoneAttachments> {
        let config = |log_group: String| QueryLoggingConfig { id: id::collection_id("x").0, log_group };
        let protection = |(at, comment): (usize, Option<String>)| RecordSetProtection {
            name: Name::parse(["lab.test", "www.lab.test", "*.lab.test"][at]).unwrap(),
            record_type: RecordType::A,
            comment,
        };
        let protections = (prop::sample::subsequence(vec![0, 1, 2], 0..=3), prop::option::of("\\PC{0,5}|[\"'\n]{1,5}"))
            .prop_map(move |(list, comment)| list.into_iter().map(|at| protection((at, comment.clone()))).collect());
        (
            any_vpcs(),
            any::<Option<bool>>(),
            prop::option::of("[a-z:]{1,90}").prop_map(move |log_group| log_group.map(config)),
            any::<Option<bool>>(),
            protections,
        )
            .prop_map(|(vpcs, has_set, query_logging, accelerated_recovery, protections)| ZoneAttachments {
                authorized_vpcs: vpcs
                    .iter()
                    .map(|(number, is_stated)| (vpc(*number), is_stated.then(ireland)))
                    .collect(),
                delegation_set: has_set.map(|one| DelegationSetId(if one { "N1" } else { "N2" }.to_owned())),
                query_logging,
                accelerated_recovery,
                protections,
                policy_instances: Vec::new(),
            })
    }

    proptest! {
        #[test]
        fn any_sequence_of_changes_gives_the_zone_itself_and_keeps_the_comments(
            changes in prop::collection::vec(any_members(), 1..5),
            start in 0..5usize,
            windows in any::<bool>(),
        ) {
            let tables = "# tags\n[tags] # here\nA = \"x\"\n";
            let mut text = match start {
                0 => ZONE.to_owned(),
                1 => format!("{ZONE}{tables}"),
                2 => format!("\u{feff}{}", ZONE.trim_end()),
                3 => ZONE.replace("comment", "vpcs = [\n \"lab\", # lab\n]\ntags.A = \"x\"\ncomment"),
                _ => String::from("# The lab's zone.\nrecord = [] # one\n# The web server.\nname = 'lab.test' # its apex"),
            };
            if windows {
                text = text.replace('\n', "\r\n");
            }
            for (comment, reference, tags, vpcs, id, attachments) in changes {
                let before = read(&text);
                let mut after = HostedZone { comment, caller_reference: reference, tags, ..before.clone() };
                after.attachments = Arc::new(attachments);
                after.vpcs = vpcs.iter().map(|(number, _)| vpc(*number)).collect();
                let stated = vpcs.iter().filter(|(_, is_stated)| *is_stated);
                after.vpc_regions = stated.map(|(number, _)| (vpc(*number), ireland())).collect();
                match id {
                    Some(true) => after.id = HostedZoneId("Z7".to_owned()),
                    Some(false) => after.id = id::zone_id(&after.name, &after.vpcs),
                    None => {}
                }
                let changed = edit_zone_members(&file(&text), &before, &after).unwrap();
                prop_assert_eq!(&read(&changed), &after, "{}\n{}", text, changed);
                for comment in ["# The lab's zone.", "# its apex", "# The web server.", "# one"] {
                    prop_assert!(changed.contains(comment), "{}", changed);
                }
                prop_assert!(!windows || !changed.replace("\r\n", "").contains('\n'), "{:?}", changed);
                text = changed;
            }
        }
    }
}
