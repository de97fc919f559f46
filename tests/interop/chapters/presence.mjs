// What passes without a trace: typing, and presence where the server has it on.

import assert from "node:assert/strict";

export async function presence(report, { a, b, room, presenceExpected }) {
  const typing = () => b.room(room).getMember(a.id)?.typing;
  await report.check("B sees A typing, and A stop typing", async () => {
    await a.sdk.sendTyping(room, true, 20_000);
    await b.sees("A typing", () => typing());
    await a.sdk.sendTyping(room, false, 0);
    await b.sees("A no longer typing", () => !typing());
  });
  await report.check("typing ends by itself after its timeout", async () => {
    await a.sdk.sendTyping(room, true, 1_000);
    await b.sees("A typing", () => typing());
    await b.sees("A no longer typing", () => !typing(), 15_000);
  });
  await a.sdk.setPresence({ presence: "online", status_msg: "in a meeting" }).catch(() => undefined);
  const status = await a.sdk.getPresence(a.id).catch(() => undefined);
  if (!presenceExpected && status?.status_msg !== "in a meeting") {
    report.skip("B sees A's presence and status message", "presence is off on this server");
    return;
  }
  await report.check("B sees A's presence and status message", async () => {
    assert.equal(status?.status_msg, "in a meeting");
    await b.sees("A's presence", () => {
      const user = b.sdk.getUser(a.id);
      return user?.presence === "online" && user.presenceStatusMsg === "in a meeting";
    });
  });
}
