// An image on one server, seen from the other.

import assert from "node:assert/strict";
import { path, refused, request } from "../api.mjs";
import { measure, paintPng } from "../../harness/image.mjs";

export async function media(report, { host, guest }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const picture = paintPng(400, 300);
  let id;
  await report.must("an image is sent, and the guest gets the same bytes from its own server", async () => {
    const room = await anna.createRoom({ preset: "public_chat", name: "Pictures" });
    await ben.join(room, host);
    const { content_uri: uri } = await request(anna.side.url, "POST", "/_matrix/media/v3/upload", {
      token: anna.token, body: picture, headers: { "Content-Type": "image/png" }, query: { filename: "a view.png" },
    });
    id = uri.slice(`mxc://${host.name}/`.length);
    assert.equal(uri, `mxc://${host.name}/${id}`);
    const sent = await anna.send(room, "m.room.message", {
      msgtype: "m.image", body: "a view.png", url: uri, info: { mimetype: "image/png", w: 400, h: 300 },
    });
    assert.equal((await ben.sees(room, sent)).content.url, uri);
    const response = await ben.get(path`v1/media/download/${host.name}/${id}`, {}, { raw: true });
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.match(response.headers.get("content-disposition") ?? "", /a(%20| )view\.png/);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(picture), "the bytes differ");
  });
  await report.check("the guest gets a thumbnail of it", async () => {
    const query = { width: 96, height: 96, method: "scale" };
    const response = await ben.get(path`v1/media/thumbnail/${host.name}/${id}`, query, { raw: true });
    const { width, height } = measure(Buffer.from(await response.arrayBuffer()));
    assert.ok(width <= 320 && height <= 240 && width < 400, `${width} × ${height}`);
  });
  await report.check("what is not there is not found", () =>
    refused(ben.get(path`v1/media/download/${host.name}/nothinglikethis`), 404));
}
