import assert from "node:assert/strict";
import { test } from "node:test";

import { countOf, stepBeside, stepOn, STEPS } from "../../../review_ui/static/js/guide_steps.js";

test("the tour has five steps, and each has something to show on a page", () => {
  assert.equal(STEPS.length, 5);
  for (const step of STEPS) assert.ok(step.at.worklist ?? step.at.review, step.title);
  assert.equal(countOf(4), "Step 5 of 5");
});

test("a page goes on where the other left off, or with its own first step", () => {
  assert.equal(stepOn("worklist", 0), 0);
  assert.equal(stepOn("review", 0), 1);
  assert.equal(stepOn("review", 3), 3);
  assert.equal(stepOn("worklist", 3), 0);
  assert.equal(stepOn("worklist", 4), 4);
  assert.equal(stepOn("review", 99), 1);
  assert.equal(stepOn("review", Number.NaN), 1);
});

test("back and next stay on the page", () => {
  assert.equal(stepBeside("review", 1, -1), -1);
  assert.equal(stepBeside("review", 1, 1), 2);
  assert.equal(stepBeside("review", 4, 1), -1);
  assert.equal(stepBeside("worklist", 0, 1), -1);
  assert.equal(stepBeside("worklist", 4, -1), -1);
});
