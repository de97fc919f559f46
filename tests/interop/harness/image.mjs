// Just enough of PNG and JPEG: paint a picture, and read the size of one.

import { crc32, deflateSync } from "node:zlib";

const PNG_MAGIC = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A colour gradient as a real PNG file. */
export function paintPng(width, height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // eight bits a channel, red green blue
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const colour = [(255 * x) / width, (255 * y) / height, (x ^ y) & 0xff];
      rows.set(colour.map(Math.floor), y * (1 + width * 3) + 1 + x * 3);
    }
  }
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([PNG_MAGIC, ...chunks]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "ascii"), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** `{ type, width, height }` of a PNG or JPEG file; throws on anything else. */
export function measure(file) {
  if (file.subarray(0, 8).equals(PNG_MAGIC)) {
    return { type: "image/png", width: file.readUInt32BE(16), height: file.readUInt32BE(20) };
  }
  if (file.readUInt16BE(0) === 0xffd8) return measureJpeg(file);
  throw new Error(`neither PNG nor JPEG: ${file.subarray(0, 12).toString("hex")}`);
}

function measureJpeg(file) {
  for (let at = 2; at + 9 < file.length; at += 2 + file.readUInt16BE(at + 2)) {
    const marker = file[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { type: "image/jpeg", width: file.readUInt16BE(at + 7), height: file.readUInt16BE(at + 5) };
  }
  throw new Error("a JPEG without a frame");
}
