/**
 * Every view of the popup and the prompt, drawn in light and dark for a person to look at, and measured in the narrowest
 * popup. The background only pretends, since some states, such as a damaged vault, take damage or weeks to come to. Other
 * states of the same view are drawn by the tests that come past them, and by the gallery.
 */
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openShot } from "../../../dev/gallery/draw.ts";
import { SHOTS, type Shot } from "../../../dev/gallery/shots.ts";
import { VIEWS, type View } from "../../../dev/gallery/views.ts";
import { ChromiumProfile } from "../../support/chromium.ts";
import { expectNarrow, screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";

const PICTURES = join(TEST_SCREENSHOTS, "views");

/** The first picture of each view, and what is seen nowhere else. */
const FIRST: ReadonlySet<Shot> = new Set(
  Object.keys(VIEWS).flatMap((view) => SHOTS.find(({ shows }) => shows.some((each) => each === view)) ?? []),
);
const DRAWN = SHOTS.filter((shot) => FIRST.has(shot) || shot.rare);

describe("the picture", () => {
  let profile: ChromiumProfile;
  let page: Page;
  const drawn = new Set<View>();
  const errors: string[] = [];
  beforeAll(async () => {
    profile = await ChromiumProfile.launch();
    page = await profile.openPopup();
    page.on("pageerror", ({ message }) => errors.push(message));
  });
  afterAll(() => profile.close());

  test.for(DRAWN)("$name", async (shot) => {
    await openShot(page, profile.extensionId, shot);
    await screenshots(page, PICTURES, shot.name);
    await expectNarrow(page, shot.name);
    expect(errors.splice(0)).toEqual([]);
    for (const view of shot.shows) drawn.add(view);
  });

  test("of no view is missing", () => {
    expect([...drawn].toSorted()).toEqual(Object.keys(VIEWS).toSorted());
  });
});
