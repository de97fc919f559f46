// A certificate authority for one run, made with openssl. It knows names and files, nothing of servers.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const DAYS = "2";
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

const openssl = promisify(execFile).bind(undefined, "openssl");

export class Authority {
  /** Makes the authority's key and certificate in `directory`, which also takes the certificates it issues. */
  static async found(directory) {
    const authority = new Authority(directory);
    await openssl([
      "req", "-x509", ...CURVE, "-days", DAYS, "-subj", "/CN=Authority of a test",
      "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
      "-keyout", authority.#file("authority.key"), "-out", authority.certificate,
    ]);
    return authority;
  }

  #directory;

  constructor(directory) {
    this.#directory = directory;
    this.certificate = this.#file("authority.crt");
  }

  /** Issues a certificate for a host, a name or an address; returns the files `{ certificate, key }`. */
  async certify(host) {
    const issued = { certificate: this.#file(`${host}.crt`), key: this.#file(`${host}.key`) };
    const request = this.#file(`${host}.csr`);
    const extensions = this.#file(`${host}.cnf`);
    await writeFile(extensions, [
      "basicConstraints=critical,CA:false",
      "extendedKeyUsage=serverAuth",
      `subjectAltName=${isIP(host) ? "IP" : "DNS"}:${host}`,
    ].join("\n"));
    await openssl(["req", ...CURVE, "-subj", `/CN=${host}`, "-keyout", issued.key, "-out", request]);
    await openssl([
      "x509", "-req", "-in", request, "-days", DAYS, "-extfile", extensions, "-CAcreateserial",
      "-CA", this.certificate, "-CAkey", this.#file("authority.key"), "-out", issued.certificate,
    ]);
    return issued;
  }

  #file(name) {
    return join(this.#directory, name);
  }
}
