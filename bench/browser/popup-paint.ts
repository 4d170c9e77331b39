/** The popup with as many channels as one origin may have: until something is painted, and until all of them are. */
import { Popup } from "../../test/support/popup.ts";
import { median } from "../compare.ts";
import { CONTENT_TOPIC, Members, settle } from "../members.ts";
import { atMost, type Row } from "../row.ts";

const CHANNELS = 64;
const ROUNDS = 9;
/** Milliseconds between two openings, in which the page before is gone. */
const PAUSE_MS = 500;
const GOAL_MS = 150;

/** Milliseconds since the navigation. */
interface Painted {
  readonly first: number;
  readonly whole: number;
}

export async function rows(): Promise<readonly Row[]> {
  await using members = await Members.meet();
  const { channel, profile } = members.alice;
  await channel.page.evaluate(
    async ({ contentTopic, more }) => {
      for (let i = 0; i < more; i++) {
        const params = {
          channelId: `more ${i}`,
          contentTopic,
          senderId: "alice",
          encryption: { mode: "none" },
        } as const;
        await window.reliableChannel?.createReliableChannel(params);
      }
    },
    // The members' own one is there already.
    { contentTopic: CONTENT_TOPIC, more: CHANNELS - 1 },
  );
  await using popup = await Popup.open(profile);
  await popup.welcome(null);
  const { page } = popup;
  await page.addInitScript(markWhenPainted, CHANNELS);
  const painted: Painted[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    await settle(PAUSE_MS);
    await page.reload();
    const times = await page.waitForFunction(() => {
      const at = (name: string) => performance.getEntriesByName(name)[0]?.startTime;
      const [first, whole] = [at("first-contentful-paint"), at("whole")];
      return first !== undefined && whole !== undefined && { first, whole };
    });
    const paint = await times.jsonValue();
    if (round >= 0 && paint !== false) painted.push(paint);
  }
  const first = median(painted.map((times) => times.first));
  const whole = median(painted.map((times) => times.whole));
  return [
    {
      what: `Popup with ${CHANNELS} channels, first paint`,
      ours: first,
      unit: "ms",
      ...atMost(first, GOAL_MS, "ms"),
      note: `all ${CHANNELS} are painted after ${Math.round(whole)} ms`,
    },
  ];
}

/** In the popup, before anything of it runs: marks the first frame after the one in which all rows stood there. */
function markWhenPainted(rows: number): void {
  const look = (): void => {
    if (document.querySelectorAll('[data-testid="channel-row"]').length < rows) requestAnimationFrame(look);
    else requestAnimationFrame(() => performance.mark("whole"));
  };
  requestAnimationFrame(look);
}
