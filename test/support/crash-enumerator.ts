/**
 * Kills a program at every boundary of a scenario, one after the other, and has it start again from what is stored.
 *
 * The scenario is run once without a crash, which finds and names the boundaries. Then it is run once for each of them.
 * It must end well every time.
 */
import { CrashPoints } from "./crash-points.ts";

export interface CrashScenario {
  readonly name: string;
  /** Runs it in a world of its own, the program killed where `points` says, and throws if anything is not as it should. */
  run(points: CrashPoints): Promise<void>;
}

export interface CrashFailure {
  readonly at: number;
  readonly boundary: string;
  readonly reason: string;
}

export interface CrashReport {
  readonly name: string;
  /** Names of the boundaries at which it was killed, in the order in which the run without a crash passes them. */
  readonly boundaries: readonly string[];
  readonly failures: readonly CrashFailure[];
}

/** Milliseconds of real time that one run may take: what takes longer waits for something that never comes. */
const STUCK_MS = 20_000;

/** @param isMeant which boundaries, by their name; all by default. */
export async function enumerateCrashes(
  scenario: CrashScenario,
  isMeant: (boundary: string) => boolean = () => true,
): Promise<CrashReport> {
  const whole = new CrashPoints();
  await scenario.run(whole);
  const boundaries = whole.labels.filter(isMeant);
  const failures: CrashFailure[] = [];
  for (const [at, boundary] of whole.labels.entries()) {
    if (!isMeant(boundary)) continue;
    const points = new CrashPoints(at);
    const reason = await reasonToFail(scenario, points, boundary);
    if (reason !== undefined) failures.push({ at, boundary, reason });
  }
  return { name: scenario.name, boundaries, failures };
}

async function reasonToFail(
  scenario: CrashScenario,
  points: CrashPoints,
  boundary: string,
): Promise<string | undefined> {
  let watchdog: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_resolve, reject) => {
    watchdog = setTimeout(() => reject(new Error("it waits for ever")), STUCK_MS);
  });
  try {
    await Promise.race([scenario.run(points), stuck]);
    // The same run must lead to the same place, or the enumeration would skip some.
    return points.crashedAt === boundary ? undefined : `the run was another: ${points.crashedAt ?? "no crash"}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } finally {
    clearTimeout(watchdog);
  }
}

/** One line per failure, for the message of a failed test. */
export function describeFailures({ name, boundaries, failures }: CrashReport): string {
  const lines = failures.slice(0, 20).map(({ at, boundary, reason }) => `  ${at} ${boundary}: ${reason}`);
  return [`${name}: ${failures.length} of ${boundaries.length} crashes did not end well`, ...lines].join("\n");
}
