/** Holds the built scripts against their budgets: run after both builds. */
import { bundleSizes } from "./lib/bundle-sizes.mjs";
import { runMain } from "./lib/log.mjs";

await runMain(async () => {
  let over = 0;
  for (const build of ["chrome-mv3", "firefox-mv2"]) {
    for (const { name, bytes, limit } of bundleSizes(build)) {
      const fits = bytes <= limit;
      if (!fits) over++;
      const verdict = fits ? "ok  " : "OVER";
      process.stdout.write(`${verdict}  ${build.padEnd(12)} ${name.padEnd(12)} ${bytes} B gzip, budget ${limit} B\n`);
    }
  }
  return over === 0 ? 0 : 1;
});
