#include "jobs/judge.h"

#include <string.h>

#include "jobs/perception.h"
#include "src/base/status.h"

int judge_choose(const struct settings *s, const char *asked, enum evaluator_role *role) {
  static const char *const names[] = { [JUDGE_AUTO] = "auto", [JUDGE_ALL] = "all", [JUDGE_HALF] = "half" };
  enum { NAMES = sizeof names / sizeof *names };
  const int in_loss = perception_by_classifier(s);
  int judge = asked ? 0 : s->fid.judge;
  while (asked && judge < NAMES && strcmp(asked, names[judge])) judge++;
  if (judge == NAMES) return because(STATUS_BAD, "judge=%s: expected auto, all or half", asked);
  if (judge == JUDGE_ALL && in_loss)
    return because(STATUS_BAD, "%sjudge=all: the loss looks through a classifier of half of the training images, which this judge"
                   " has seen too: expected half or auto", asked ? "" : "fid.");
  *role = judge == JUDGE_HALF || in_loss ? EVALUATOR_HALF : EVALUATOR_JUDGE;
  return STATUS_OK;
}
