// A person whose client can encrypt: matrix-js-sdk with its Rust crypto. What a story of encryption may ask of a client
// is what this class and RustPerson have in common; where a client keeps its keys, also to open it again.

import assert from "node:assert/strict";
import { MatrixEvent } from "matrix-js-sdk";
import { CryptoEvent, decodeRecoveryKey, VerificationPhase, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { Person, until } from "./person.mjs";

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
  #requests = [];

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
      return Promise.resolve(this.recoveryKey ? [id, decodeRecoveryKey(this.recoveryKey)] : null);
    };
    await this.sdk.initRustCrypto(keyStore(this.session));
    this.sdk.on(CryptoEvent.VerificationRequestReceived, (request) => this.#requests.push(request));
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

  /** Whether this device is signed by its owner. */
  async isSigned() {
    await this.crypto.getUserDeviceInfo([this.id], true);
    const status = await this.crypto.getDeviceVerificationStatus(this.id, this.session.device_id);
    return Boolean(status?.signedByOwner);
  }

  /** Makes a room by the body of `POST /createRoom`, and returns its id. */
  async createsRoom(content) {
    return (await this.sdk.createRoom(content)).room_id;
  }

  joins(roomId) {
    return this.sdk.joinRoom(roomId);
  }

  /** Whether the client would encrypt what it sends there. */
  encryptsIn(roomId) {
    return this.crypto.isEncryptionEnabledInRoom(roomId);
  }

  turnsEncryptionOn(roomId) {
    return this.sendsState(roomId, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" });
  }

  /** The next message comes with a new key. */
  renewsKey(roomId) {
    return this.crypto.forceDiscardSession(roomId);
  }

  sendsState(roomId, type, content) {
    return this.sdk.sendStateEvent(roomId, type, content, "");
  }

  /** Waits until the event is here and readable, and returns its content. */
  async reads(roomId, eventId) {
    const event = await this.seesEvent(roomId, eventId);
    // What cannot be read yet has a clear content too, that says so; it is tried again when a key comes.
    const isRead = () => event.isEncrypted() && event.getClearContent() && !event.isDecryptionFailure();
    await this.sees(`the event ${eventId} decrypted`, isRead);
    return event.getContent();
  }

  /** Whether an event could be read that comes from elsewhere. */
  async canRead(_roomId, encrypted) {
    const event = new MatrixEvent(encrypted);
    await this.sdk.decryptEventIfNeeded(event);
    return !event.isDecryptionFailure();
  }

  /** Of the events in the room, how many cannot be read. */
  unreadable(roomId) {
    const events = this.room(roomId).getLiveTimeline().getEvents();
    return events.filter((event) => event.isDecryptionFailure()).length;
  }

  /** Asks somebody to compare emoji. */
  async asksToVerify(roomId, userId) {
    return new Comparison(await this.crypto.requestVerificationDM(userId, roomId));
  }

  /** Waits until somebody asks to compare emoji. */
  async isAsked() {
    return new Comparison(await this.sees("a request to verify", () => this.#requests.shift()));
  }

  async trusts(userId) {
    return (await this.crypto.getUserVerificationStatus(userId)).isCrossSigningVerified();
  }

  /** Makes a recovery key, and with it a secret storage and a backup of keys. */
  async setsUpRecovery() {
    const key = await this.crypto.createRecoveryKeyFromPassphrase();
    this.recoveryKey = key.encodedPrivateKey;
    await this.crypto.bootstrapSecretStorage({
      createSecretStorageKey: () => Promise.resolve(key),
      setupNewSecretStorage: true,
      setupNewKeyBackup: true,
    });
    assert.ok(await this.crypto.isSecretStorageReady());
    assert.ok(await this.crypto.getActiveSessionBackupVersion());
  }

  /** Takes the secrets out of the secret storage, and signs this device with them. */
  async recovers(recoveryKey) {
    this.recoveryKey = recoveryKey;
    // As Element Web does: the identity is looked up before its keys are taken out of the secret storage.
    await this.sees("the own identity", () => this.crypto.userHasCrossSigningKeys(this.id, true));
    await this.crypto.bootstrapCrossSigning({});
    await this.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
  }

  /** Takes the keys out of the backup. */
  async restoresBackup(_roomId) {
    await this.crypto.checkKeyBackupAndEnable();
    const { total, imported } = await this.crypto.restoreKeyBackup();
    assert.ok(total >= 2 && imported === total, `${imported} of ${total}`);
  }

  /** Whether the client knows of another's device, after it has asked for the list. */
  async knowsDevice(userId, deviceId) {
    const devices = await this.crypto.getUserDeviceInfo([userId], true);
    return Boolean(devices.get(userId)?.has(deviceId));
  }

  /** Ends the session, and with it the device. What the client knows stays. */
  logsOut() {
    return this.sdk.logout(false);
  }
}

/** One side of the comparison of emoji. */
class Comparison {
  #request;
  #shown;
  #verified;

  constructor(request) {
    this.#request = request;
  }

  accept() {
    return this.#request.accept();
  }

  isReady() {
    return this.#request.phase === VerificationPhase.Ready;
  }

  async begin() {
    await this.#request.startVerification("m.sas.v1");
  }

  /** Waits for the emoji and returns their names. */
  async emoji() {
    const verifier = await until("the comparison has begun", () => this.#request.verifier);
    const shown = new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
    this.#verified = verifier.verify();
    this.#shown = await Promise.race([shown, this.#verified]);
    return this.#shown.sas.emoji.map(([, name]) => name);
  }

  /** Says that they are the same, and waits until the other side does. */
  async confirm() {
    await this.#shown.confirm();
    await this.#verified;
  }
}
