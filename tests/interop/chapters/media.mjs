// An image: uploaded, sent, downloaded with authentication, and as a thumbnail.

import assert from "node:assert/strict";
import { measure, paintPng } from "../harness/image.mjs";

const WIDTH = 200;
const HEIGHT = 150;

export async function media(report, { a, b, room }) {
  const picture = paintPng(WIDTH, HEIGHT);
  let mxc;
  await report.must("A uploads an image and sends it, B sees it", async () => {
    const uploaded = await a.sdk.uploadContent(new Blob([picture]), { name: "cake.png", type: "image/png" });
    const info = { mimetype: "image/png", w: WIDTH, h: HEIGHT, size: picture.length };
    const sent = await a.sdk.sendImageMessage(room, uploaded.content_uri, info, "cake.png");
    const event = await b.seesEvent(room, sent.event_id);
    mxc = event.getContent().url;
    assert.match(mxc, /^mxc:\/\/[^/]+\/[A-Za-z0-9_-]+$/);
    assert.deepEqual(event.getContent().info, info);
  });
  const address = (...size) => b.sdk.mxcUrlToHttp(mxc, ...size, false, true, true);
  await report.check("B downloads the image through authenticated media, byte for byte", async () => {
    const url = address(undefined, undefined, undefined);
    assert.match(url, /\/_matrix\/client\/v1\/media\/download\//);
    const response = await b.get(url);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(picture), "the bytes differ");
  });
  await report.check("nobody downloads it without a token: 401 M_MISSING_TOKEN", async () => {
    const response = await b.get(address(undefined, undefined, undefined), { authenticated: false });
    assert.equal(response.status, 401);
    assert.equal((await response.json()).errcode, "M_MISSING_TOKEN");
  });
  await report.check("a thumbnail scaled to 96x96 keeps the proportions and is smaller", async () => {
    const size = await thumbnail(b, address(96, 96, "scale"));
    assert.ok(size.width < WIDTH && size.height < HEIGHT, JSON.stringify(size));
    assert.ok(Math.abs(size.width / size.height - WIDTH / HEIGHT) < 0.05, JSON.stringify(size));
  });
  await report.check("a thumbnail cropped to 96x96 is square", async () => {
    const size = await thumbnail(b, address(96, 96, "crop"));
    assert.equal(size.width, size.height);
    assert.ok(size.width <= HEIGHT, JSON.stringify(size));
  });
  await report.check("the client learns the upload limit", async () => {
    const config = await a.sdk.getMediaConfig(true);
    assert.ok(config["m.upload.size"] > picture.length, JSON.stringify(config));
  });
}

async function thumbnail(person, url) {
  assert.match(url, /\/_matrix\/client\/v1\/media\/thumbnail\//);
  const response = await person.get(url);
  assert.equal(response.status, 200);
  const size = measure(Buffer.from(await response.arrayBuffer()));
  assert.equal(response.headers.get("content-type"), size.type);
  return size;
}
