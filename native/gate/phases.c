#include "phases.h"

/* How unlike the evidence is to work with this rate beside these tasks, as a factor of at least 1;
 * 0: other work. Rate below 0: any. */
static double distance(const struct gw_evidence *evidence, uint64_t beside, double rate) {
  if (evidence->used == 0 || evidence->beside != beside) {
    return 0;
  }
  return rate < 0 ? 1 : gw_evidence_distance(evidence, rate);
}

/* The nearest evidence. Where none fits, the least recently used one, emptied. */
static int find_or_replace(struct gw_evidence *evidence, int count, uint64_t beside, double rate) {
  int best = -1, oldest = 0;
  double nearest = 0;
  for (int i = 0; i < count; i++) {
    double found = distance(&evidence[i], beside, rate);
    oldest = evidence[i].used < evidence[oldest].used ? i : oldest;
    if (found > 0 && (best < 0 || found < nearest)) {
      nearest = found;
      best = i;
    }
  }
  if (best < 0) {
    best = oldest;
    evidence[best].beside = beside;
    gw_evidence_forget(&evidence[best]);
  }
  return best;
}

bool gw_phases_choose(struct gw_phases *phases, uint64_t beside, double rate) {
  bool stays = distance(gw_phases_now(phases), beside, rate) > 0;
  if (!stays) {
    phases->phase = find_or_replace(phases->known, GW_PHASES, beside, rate);
  }
  phases->set = find_or_replace(phases->all, GW_SETS, beside, -1);
  phases->known[phases->phase].used = phases->all[phases->set].used = ++phases->uses;
  return stays;
}

void gw_phases_add(struct gw_phases *phases, double needed, const struct gw_pair *pair) {
  gw_evidence_add(&phases->known[phases->phase], needed, pair);
  gw_evidence_add(&phases->all[phases->set], needed, pair);
}

const struct gw_evidence *gw_phases_now(const struct gw_phases *phases) {
  return &phases->known[phases->phase];
}

double gw_phases_least_speed(const struct gw_phases *phases, double needed) {
  const struct gw_evidence *own = gw_phases_now(phases);
  bool slow = own->n > 0 && gw_evidence_speed(own) < needed;
  bool own_counts = gw_evidence_suffices(own) || slow;
  return gw_evidence_worst(own_counts ? own : &phases->all[phases->set]);
}
