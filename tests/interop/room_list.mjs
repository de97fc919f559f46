// A phone with many rooms, played by a client of matrix-sdk that syncs as Element X does (`SyncService`,
// `RoomListService`, `Timeline` of matrix-sdk-ui). The arguments are those of staff_chat.mjs, and `--rust-a PROGRAM`.

import { readArguments, tell } from "./harness/command_line.mjs";
import { ensureNode22 } from "./harness/node22.mjs";

const TIME_LIMIT_MS = 600_000;

ensureNode22();
const told = readArguments();
await import("./harness/quiet.mjs");
const { windows } = await import("./chapters/windows.mjs");
const given = { ...told.given, phone: told.rust.a };
await tell({ chapters: [windows], required: ["windows"], timeLimit: TIME_LIMIT_MS }, { ...told, given });
