// Asks a function from docs/receivers.md about requests: `drive.mjs SNIPPET`, one request a line.

import { createInterface } from "node:readline";

const names = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256"];
const snippet = process.argv[2];
const { isFromHsmwatch } = await import(snippet);
let now = 0;
const Real = Date;
// Everything that the function or its library can ask for the time says `now`.
globalThis.Date = class extends Real {
  constructor(...given) {
    super(...(given.length ? given : [now * 1000]));
  }
  static now() {
    return now * 1000;
  }
};
for await (const line of createInterface({ input: process.stdin })) {
  const [time, secrets, ...rest] = line.split("\t");
  const body = Buffer.from(rest.pop(), "base64");
  now = Number(time);
  const headers = Object.fromEntries(names.map((name, n) => [name, rest[n]]).filter(([, value]) => value !== "-"));
  const all = secrets.split(" ");
  const is = await isFromHsmwatch(headers, body, snippet.includes("hub") ? all[0] : all);
  console.log(is === true ? 1 : 0);
}
