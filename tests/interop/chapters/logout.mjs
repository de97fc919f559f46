// Logging out ends one device's session, and only that.

import assert from "node:assert/strict";
import { createClient } from "matrix-js-sdk";
import { refused } from "../harness/person.mjs";

export async function logout(report, { a, b, url, room }) {
  await report.check("after logging out A's token is unknown: 401 M_UNKNOWN_TOKEN", async () => {
    await a.sdk.logout(true);
    const { access_token: accessToken, user_id: userId } = a.session;
    await refused(createClient({ baseUrl: url, accessToken, userId }).whoami(), 401, "M_UNKNOWN_TOKEN");
  });
  await report.check("B's session goes on: it still speaks, and lists its devices", async () => {
    await b.seesEvent(room, await b.say(room, "good night"));
    const { devices } = await b.sdk.getDevices();
    assert.ok(devices.some((device) => device.device_id === b.session.device_id));
  });
  await report.check("B logs out while syncing, and its client notices", async () => {
    let noticed = false;
    b.sdk.once("Session.logged_out", () => { noticed = true; });
    await b.sdk.logout(false);
    await b.sees("the end of its session", () => noticed);
  });
}
