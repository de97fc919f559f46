// A person whose client can encrypt: Rust crypto, with a recovery key once there is one.

import assert from "node:assert/strict";
import { Person } from "./person.mjs";

/** Whether a client that is closed keeps its keys: in a browser it does, in Node it has them in memory. */
export const KEEPS_KEYS = globalThis.indexedDB !== undefined;

/** Where a device keeps its keys: in a database of its own, if there are databases. */
function keyStore({ user_id: user, device_id: device }) {
  if (!KEEPS_KEYS) return { useIndexedDB: false };
  return { useIndexedDB: true, cryptoDatabasePrefix: `${user} ${device}` };
}

export class SecretivePerson extends Person {
  /** The recovery key, as a person keeps it on paper; `undefined` before there is one. */
  recoveryKey;

  /** Logs in, begins to encrypt and to sync. */
  static async arrive(url, account, label) {
    return (await SecretivePerson.logIn(url, account, label)).#begin();
  }

  /** Closes the client and opens it again: the same device, with the keys that it has kept. */
  async reopen() {
    this.stop();
    const again = new SecretivePerson(this.url, this.session, this.wire);
    again.recoveryKey = this.recoveryKey;
    return again.#begin();
  }

  async #begin() {
    this.secrets.getSecretStorageKey = ({ keys }) => {
      const [id] = Object.keys(keys);
      return Promise.resolve(this.recoveryKey ? [id, this.recoveryKey.privateKey] : null);
    };
    await this.sdk.initRustCrypto(keyStore(this.session));
    await this.start();
    return this;
  }

  get crypto() {
    return this.sdk.getCrypto();
  }

  /** Makes and publishes cross-signing keys. The server may not ask for a password. */
  async crossSign() {
    await this.crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: async (upload) => {
        await upload(null);
      },
    });
  }

  /** Waits until the event is here and readable, and returns its content. */
  async reads(roomId, eventId) {
    const event = await this.seesEvent(roomId, eventId);
    // What cannot be read yet has a clear content too, that says so; it is tried again when a key comes.
    const isRead = () => event.isEncrypted() && event.getClearContent() && !event.isDecryptionFailure();
    await this.sees(`the event ${eventId} decrypted`, isRead);
    return event.getContent();
  }

  /** Of the events in the room, how many cannot be read. */
  unreadable(roomId) {
    const events = this.room(roomId).getLiveTimeline().getEvents();
    return events.filter((event) => event.isDecryptionFailure()).length;
  }

  /** Asserts that the server has the event as it was meant to be: encrypted, or not. */
  async isOnTheWire(roomId, eventId, type) {
    const response = await this.get(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`);
    const event = await response.json();
    assert.equal(event.type, type, JSON.stringify(event));
  }
}
