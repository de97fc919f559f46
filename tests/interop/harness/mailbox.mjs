// A mail server on loopback: takes every mail, and keeps it. As much of SMTP as a mail server's client speaks, and as
// much of MIME as is needed to read a mail of text and HTML.

import { createServer } from "node:net";
import { until } from "./person.mjs";

const LARGEST_MAIL = 1 << 20;

export class Mailbox {
  /** Every mail, in order: `{ to, from, subject, headers, text, html }`. */
  mails = [];
  #server;
  #sockets = new Set();

  static async open(port) {
    const mailbox = new Mailbox();
    mailbox.#server = createServer((socket) => mailbox.#serve(socket));
    await new Promise((opened, failed) => {
      mailbox.#server.once("error", failed);
      mailbox.#server.listen(port, "127.0.0.1", opened);
    });
    mailbox.#server.unref();
    return mailbox;
  }

  of(address) {
    return this.mails.filter((mail) => mail.to.includes(address));
  }

  /** Waits for the mail to this address that has the number `count` (from 1 on), and returns it. */
  arrives(address, count, limit) {
    return until(`${address} has ${count} mails`, () => this.of(address)[count - 1], limit);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setEncoding("utf8");
    const session = new Session((line) => socket.write(`${line}\r\n`), (mail) => this.mails.push(mail));
    let unread = "";
    socket.on("data", (data) => {
      const lines = (unread + data).split("\r\n");
      unread = lines.pop();
      for (const line of lines) {
        if (session.take(line)) continue;
        socket.end();
        return;
      }
      if (unread.length > LARGEST_MAIL) socket.destroy();
    });
  }
}

/** One connection's conversation. */
class Session {
  #answer;
  #deliver;
  #envelope = { to: [] };
  #lines;

  constructor(answer, deliver) {
    this.#answer = answer;
    this.#deliver = deliver;
    answer("220 interop.localhost ESMTP");
  }

  /** Takes a line; returns whether the conversation goes on. */
  take(line) {
    if (this.#lines) return this.#takeContent(line);
    const verb = line.split(" ")[0].toUpperCase();
    const address = line.match(/<([^>]*)>/)?.[1];
    switch (verb) {
      case "EHLO":
        this.#answer("250-interop.localhost");
        this.#answer("250 8BITMIME");
        return true;
      case "MAIL":
        this.#envelope = { from: address, to: [] };
        break;
      case "RCPT":
        this.#envelope.to.push(address);
        break;
      case "DATA":
        this.#lines = [];
        this.#answer("354 go on");
        return true;
      case "QUIT":
        this.#answer("221 good-bye");
        return false;
      case "HELO":
      case "NOOP":
      case "RSET":
        break;
      default:
        this.#answer("502 not known here");
        return true;
    }
    this.#answer("250 OK");
    return true;
  }

  #takeContent(line) {
    if (line !== ".") {
      this.#lines.push(line.startsWith(".") ? line.slice(1) : line);
      return true;
    }
    const { headers, text, html } = readMail(this.#lines.join("\r\n"));
    this.#deliver({ ...this.#envelope, subject: headers.subject, headers, text, html });
    this.#lines = undefined;
    this.#answer("250 taken");
    return true;
  }
}

/** A mail's headers, and what it says as text and as HTML. */
export function readMail(source) {
  const { headers, parts } = readPart(source);
  const said = (type) => parts.find((part) => part.type === type)?.content;
  return { headers, text: said("text/plain"), html: said("text/html") };
}

/** A part's headers, and all that lies in it that is no container itself. */
function readPart(source) {
  const end = source.indexOf("\r\n\r\n");
  const headers = readHeaders(source.slice(0, end));
  const body = source.slice(end + 4);
  const type = (headers["content-type"] ?? "text/plain").split(";")[0].trim().toLowerCase();
  const boundary = headers["content-type"]?.match(/boundary="?([^";]+)"?/i)?.[1];
  if (!boundary) return { headers, parts: [{ type, content: decodeBody(body, headers["content-transfer-encoding"]) }] };
  const inner = `\r\n${body}`.split(`\r\n--${boundary}`).slice(1).filter((part) => !part.startsWith("--"));
  return { headers, parts: inner.flatMap((part) => readPart(part.slice(2)).parts) };
}

function readHeaders(source) {
  const lines = source.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim())];
  }));
}

/** What stands encoded in a header, as `=?utf-8?b?…?=`. */
function decodeWords(text) {
  return text.replace(/\?=\s+=\?/g, "?==?").replace(/=\?[^?]+\?([bq])\?([^?]*)\?=/gi, (_, how, word) =>
    how.toLowerCase() === "b" ? Buffer.from(word, "base64").toString() : quoted(word.replaceAll("_", " ")));
}

function decodeBody(body, encoding = "7bit") {
  const text = {
    base64: () => Buffer.from(body, "base64").toString(),
    "quoted-printable": () => quoted(body.replace(/=\r\n/g, "")),
  }[encoding.toLowerCase()]?.() ?? body;
  return text.replaceAll("\r\n", "\n");
}

/** Quoted-printable, without its soft ends of line. */
function quoted(text) {
  const bytes = text.replace(/=([0-9a-f]{2})/gi, (_, digits) => `%${digits}`).replace(/%(?![0-9a-f]{2})/gi, "%25");
  return decodeURIComponent(bytes);
}
