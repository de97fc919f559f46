// Encryption as the organisation decides it: the chapters in their order.

import { arrival } from "./arrival.mjs";
import { deletedDevice } from "./deleted_device.mjs";
import { optIn } from "./opt_in.mjs";
import { recovery } from "./recovery.mjs";
import { reopening } from "./reopening.mjs";
import { restart } from "./restart.mjs";
import { verification } from "./verification.mjs";

export const story = {
  chapters: [arrival, optIn, verification, recovery, deletedDevice, restart, reopening],
  required: ["arrival", "optIn"],
  timeLimit: 600_000,
};
