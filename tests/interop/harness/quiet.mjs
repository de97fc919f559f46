// Silences the SDK's log. Imported before the SDK: some of its modules keep the log's functions when they load.

import { logger } from "matrix-js-sdk/lib/logger.js";

logger.methodFactory = () => () => {};
logger.rebuild();
