// Runs one sentence of the story at a time, prints its verdict and counts.
// It knows nothing of Matrix; what went over the wire is handed in as a function.

/** Thrown by `must` to leave a chapter whose later sentences would make no sense. */
export class ChapterEnded extends Error {}

/** Rejects when `promise` takes longer than `milliseconds`. */
export async function within(promise, milliseconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Report {
  passed = 0;
  failed = 0;
  skipped = 0;
  #evidence;
  #limit;

  /** `evidence(since)` returns lines about what happened since that time (milliseconds). `limit` bounds each step. */
  constructor(evidence, limit = 90_000) {
    this.#evidence = evidence;
    this.#limit = limit;
  }

  /** Runs `body`; a failure is printed and counted, and the story goes on. Returns what `body` returned. */
  async check(sentence, body, limit = this.#limit) {
    const began = Date.now();
    try {
      const value = await within(Promise.resolve().then(body), limit, "this step");
      this.passed += 1;
      console.log(`ok - ${sentence}`);
      return value;
    } catch (error) {
      this.failed += 1;
      console.log(`not ok - ${sentence}`);
      for (const line of [...describe(error), ...this.#evidence(began)]) console.log(`    ${line}`);
      return undefined;
    }
  }

  /** As `check`, but a failure ends the chapter. */
  async must(sentence, body, limit) {
    const failedBefore = this.failed;
    const value = await this.check(sentence, body, limit);
    if (this.failed > failedBefore) throw new ChapterEnded(sentence);
    return value;
  }

  skip(sentence, reason) {
    this.skipped += 1;
    console.log(`skipped - ${sentence} (${reason})`);
  }

  /** One group of sentences. Only `must` and faults of the suite itself leave it early. */
  async chapter(title, body) {
    console.log(`# ${title}`);
    try {
      await body();
      return true;
    } catch (error) {
      if (!(error instanceof ChapterEnded)) {
        this.failed += 1;
        console.log(`not ok - the chapter "${title}" runs to its end`);
        for (const line of describe(error)) console.log(`    ${line}`);
      }
      return false;
    }
  }

  summary() {
    if (this.skipped > 0) console.log(`${this.skipped} skipped`);
    return `${this.passed} passed, ${this.failed} failed`;
  }
}

function describe(error) {
  const text = error?.name === "AssertionError" || !(error instanceof Error) ? String(error) : error.stack;
  return text.split("\n").slice(0, 30);
}
