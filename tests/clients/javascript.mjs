// The AWS SDK for JavaScript: creates, changes and deletes a zone with record sets of every policy, a health check and a collection.
//
// node javascript.mjs DIRECTORY: that which has node_modules.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const sdk = createRequire(`${process.argv[2]}/`)("@aws-sdk/client-route-53");
const client = new sdk.Route53Client({ maxAttempts: 1 });
const send = (command, input) => client.send(new sdk[`${command}Command`](input));
const [host, port] = process.env.FIFTYTHREE_DNS.split(":");

function dig(name, type, ...options) {
  return execFileSync("dig", [`@${host}`, "-p", port, "+time=5", "+tries=3", ...options, name, type], { encoding: "utf8" });
}
const answer = (name, type, subnet) =>
  dig(name, type, "+short", ...(subnet ? [`+subnet=${subnet}`] : [])).trim().split("\n").sort().join(" ");
const code = (name, type) => /status: (\w+)/.exec(dig(name, type))[1];
const change = (zone, action, sets) => send("ChangeResourceRecordSets", {
  HostedZoneId: zone,
  ChangeBatch: { Changes: sets.map((set) => ({ Action: action, ResourceRecordSet: set })) },
});

const created = await send("CreateHostedZone", { Name: "js.test", CallerReference: "js" });
const zone = created.HostedZone.Id.replace("/hostedzone/", "");
assert.equal(code("js.test", "SOA"), "NOERROR");
const check = (await send("CreateHealthCheck", {
  CallerReference: "js",
  HealthCheckConfig: { Type: "TCP", IPAddress: "127.0.0.1", Port: 9, RequestInterval: 10, FailureThreshold: 1, Disabled: true },
})).HealthCheck.Id;
const collection = (await send("CreateCidrCollection", { Name: "js", CallerReference: "js" })).Collection.Id;
await send("ChangeCidrCollection", {
  Id: collection, Changes: [{ LocationName: "office", Action: "PUT", CidrList: ["198.51.100.0/24"] }],
});
const text = readFileSync(new URL("policies.json", import.meta.url), "utf8").replaceAll("$ZONE_ID", zone)
  .replaceAll("$ZONE", "js.test.").replaceAll("$CHECK", check).replaceAll("$COLLECTION", collection);
const rows = JSON.parse(text);
for (const { policy, sets, answers } of rows) {
  const info = (await change(zone, "CREATE", sets)).ChangeInfo;
  assert.equal((await send("GetChange", { Id: info.Id })).ChangeInfo.Id, info.Id);
  for (const [name, type, subnet, expected] of answers) assert.equal(answer(name, type, subnet), expected, policy);
}
const sets = rows.flatMap((row) => row.sets);
const listed = [];
let start = {};
do {
  const page = await send("ListResourceRecordSets", { HostedZoneId: zone, MaxItems: 5, ...start });
  listed.push(...page.ResourceRecordSets);
  start = page.IsTruncated && {
    StartRecordName: page.NextRecordName, StartRecordType: page.NextRecordType, StartRecordIdentifier: page.NextRecordIdentifier,
  };
} while (start);
for (const set of sets) {
  const expected = { ...set, Name: set.Name.replace("*", "\\052") };
  const found = listed.find((one) => one.Name === expected.Name && one.Type === set.Type && one.SetIdentifier === set.SetIdentifier);
  assert.deepEqual(found, expected);
}
await assert.rejects(change(zone, "CREATE", sets.slice(0, 1)), (error) =>
  error instanceof sdk.InvalidChangeBatch && JSON.stringify([error.message, error.messages]).includes("already exists"));
await assert.rejects(send("GetHostedZone", { Id: "Z0NOBODYKNOWS" }), sdk.NoSuchHostedZone);
const zones = [];
for await (const page of sdk.paginateListHostedZones({ client }, {})) zones.push(...page.HostedZones);
assert(zones.some((one) => one.Name === "js.test."));
const pending = (await change(zone, "UPSERT", [{ ...sets[0], TTL: 5 }])).ChangeInfo;
await sdk.waitUntilResourceRecordSetsChanged({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { Id: pending.Id });

await send("UpdateHealthCheck", { HealthCheckId: check, Inverted: true });
const deadline = Date.now() + 60_000;
while (answer("failover.js.test", "A") !== "192.0.2.32") assert(Date.now() < deadline, "not failed over");
await change(zone, "DELETE", [{ ...sets[0], TTL: 5 }, ...sets.slice(1)]);
assert.equal(code("www.js.test", "A"), "NXDOMAIN");
await send("DeleteHostedZone", { Id: zone });
assert.equal(code("js.test", "SOA"), "REFUSED");
await send("ChangeCidrCollection", {
  Id: collection, Changes: [{ LocationName: "office", Action: "DELETE_IF_EXISTS", CidrList: ["198.51.100.0/24"] }],
});
await send("DeleteCidrCollection", { Id: collection });
await send("DeleteHealthCheck", { HealthCheckId: check });
console.log("all steps done");
