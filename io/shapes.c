#include "io/shapes.h"

#include <assert.h>
#include <math.h>

#include "src/base/random.h"

#define PI 3.14159265f

const char *const shapes_names[SHAPES] = { "circle", "square", "triangle", "star", "ring", "cross", "moon", "heart" };

struct point { float x, y; };
struct colour { float r, g, b; };

/* What is random in a picture. Lengths are in image sides, y points down. */
struct scene {
  int shape;
  struct point centre;
  float radius, cosine, sine;      /* of the shape and its rotation */
  struct point light;              /* direction in which ground and shape grow lighter */
  struct colour ground[2], fill[2];
};

static float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
static float between(float u, float low, float high) { return low + (high - low) * u; }
static float length(float x, float y) { return sqrtf(x * x + y * y); }

static struct colour mix(struct colour a, struct colour b, float t) {
  return (struct colour) { between(t, a.r, b.r), between(t, a.g, b.g), between(t, a.b, b.b) };
}

/* Hue in turns. */
static struct colour hsv(float hue, float saturation, float value) {
  float rgb[3];
  for (int i = 0; i < 3; i++) {
    const float turn = hue + (float)(3 - i) / 3, k = fabsf((turn - floorf(turn)) * 6 - 3) - 1;
    rgb[i] = value * (1 - saturation * (1 - clamp(k, 0, 1)));
  }
  return (struct colour) { rgb[0], rgb[1], rgb[2] };
}

/* Signed distances to the outlines, inside negative; shapes of radius about 1 around the origin, y up. */
static float segment(struct point p, struct point a, struct point b) {
  const float ex = b.x - a.x, ey = b.y - a.y, px = p.x - a.x, py = p.y - a.y;
  const float t = clamp((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1);
  return length(px - t * ex, py - t * ey);
}

/* Corners on two circles in turn: n corners, outer and inner radius. Inside by the count of crossings to the right. */
static float polygon(struct point p, int n, float outer, float inner) {
  float nearest = 10;
  int inside = 0;
  for (int i = 0; i < n; i++) {
    const float from = PI / 2 + 2 * PI * i / n, to = PI / 2 + 2 * PI * (i + 1) / n;
    const float r = i % 2 ? inner : outer, s = i % 2 ? outer : inner;
    const struct point a = { r * cosf(from), r * sinf(from) }, b = { s * cosf(to), s * sinf(to) };
    nearest = fminf(nearest, segment(p, a, b));
    if ((a.y > p.y) != (b.y > p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x)) inside = !inside;
  }
  return inside ? -nearest : nearest;
}

static float box(struct point p, float half_width, float half_height) {
  const float x = fabsf(p.x) - half_width, y = fabsf(p.y) - half_height;
  return length(fmaxf(x, 0), fmaxf(y, 0)) + fminf(fmaxf(x, y), 0);
}

/* A square on its corner with a half disc on each of the upper sides. */
static float heart(struct point p) {
  const float half = 0.56f, r = 0.70710678f;
  const struct point q = { fabsf(p.x), p.y + 0.12f };
  const struct point turned = { (q.x + q.y) * r, (q.y - q.x) * r };
  return fminf(box(turned, half, half), length(q.x - half * r, q.y - half * r) - half);
}

static float distance(int shape, struct point p) {
  switch (shape) {
    case 0:  return length(p.x, p.y) - 0.9f;
    case 1:  return box(p, 0.72f, 0.72f) - 0.06f;
    case 2:  return polygon((struct point) { p.x, p.y + 0.12f }, 3, 1.08f, 1.08f) - 0.04f;
    case 3:  return polygon(p, 10, 1.08f, 0.46f) - 0.03f;
    case 4:  return fabsf(length(p.x, p.y) - 0.7f) - 0.22f;
    case 5:  return fminf(box(p, 0.92f, 0.27f), box(p, 0.27f, 0.92f)) - 0.04f;
    case 6:  return fmaxf(length(p.x + 0.15f, p.y) - 0.95f, 0.78f - length(p.x - 0.33f, p.y - 0.1f));
    default: return heart(p);
  }
}

/* A shape lies near the middle and nearly upright, so that minutes on two cores suffice to learn what it is. Light grounds get
 * deep shapes and dark grounds bright ones; the hues differ by a quarter turn or more. */
static struct scene compose(uint64_t seed, uint64_t index) {
  real u[16];
  random_uniform((struct purpose) { seed, STREAM_SHAPES, index, 0 }, 16, u);
  struct scene s = { .shape = (int)(index % SHAPES), .radius = between((float)u[0], 0.3f, 0.4f) };
  const float room = 0.04f, angle = between((float)u[3], -PI / 18, PI / 18);
  const float toward = 2 * PI * (float)u[4], hue = (float)u[5];
  const float other = hue + between((float)u[6], 0.25f, 0.75f);
  const int dark = u[7] < 0.45f;
  s.centre = (struct point) { 0.5f + between((float)u[1], -room, room), 0.5f + between((float)u[2], -room, room) };
  s.cosine = cosf(angle), s.sine = sinf(angle);
  s.light = (struct point) { cosf(toward), sinf(toward) };
  const float value = dark ? between((float)u[8], 0.16f, 0.34f) : between((float)u[8], 0.72f, 0.86f);
  const float saturation = dark ? between((float)u[9], 0.35f, 0.75f) : between((float)u[9], 0.12f, 0.42f);
  const float drift = between((float)u[10], -0.08f, 0.08f);   /* of the hue, across the picture */
  s.ground[0] = hsv(hue, saturation, value * 0.85f);
  s.ground[1] = hsv(hue + drift, saturation * 0.8f, fminf(value * 1.25f, 1));
  const float bright = dark ? between((float)u[11], 0.85f, 1) : between((float)u[11], 0.55f, 0.82f);
  const float pure = dark ? between((float)u[12], 0.5f, 0.85f) : between((float)u[12], 0.7f, 0.95f);
  s.fill[0] = hsv(other, pure, bright * 0.85f);
  s.fill[1] = hsv(other + between((float)u[13], -0.05f, 0.05f), pure * 0.85f, fminf(bright * 1.12f, 1));
  return s;
}

/* Distance in image sides from the point x, y of the picture to the outline. */
static float outline(const struct scene *s, float x, float y) {
  const float px = (x - s->centre.x) / s->radius, py = (s->centre.y - y) / s->radius;
  const struct point p = { px * s->cosine - py * s->sine, px * s->sine + py * s->cosine };
  return s->radius * distance(s->shape, p);
}

static struct colour shade(const struct scene *s, float x, float y, float pixel) {
  const float along = s->light.x * (x - 0.5f) + s->light.y * (y - 0.5f);
  const float local = s->light.x * (x - s->centre.x) + s->light.y * (y - s->centre.y);
  struct colour c = mix(s->ground[0], s->ground[1], clamp(0.5f + 0.7f * along, 0, 1));
  const float behind = outline(s, x + 0.03f * s->light.x, y + 0.03f * s->light.y);   /* a soft shadow, away from the light */
  c = mix(c, (struct colour) { 0, 0, 0 }, 0.3f * clamp(0.5f - behind / 0.07f, 0, 1));
  const float inside = clamp(0.5f - outline(s, x, y) / pixel, 0, 1);
  return mix(c, mix(s->fill[0], s->fill[1], clamp(0.5f + 0.5f * local / s->radius, 0, 1)), inside);
}

static uint8_t byte(float x) { return (uint8_t)clamp(255 * x + 0.5f, 0, 255); }

int shapes_draw(uint64_t seed, uint64_t index, size_t size, uint8_t *u8) {
  assert(size >= SHAPES_SIZE_MIN);
  const struct scene s = compose(seed, index);
  const float pixel = 1 / (float)size;
  for (size_t y = 0; y < size; y++)
    for (size_t x = 0; x < size; x++, u8 += SHAPES_CHANNELS) {
      const struct colour c = shade(&s, ((float)x + 0.5f) * pixel, ((float)y + 0.5f) * pixel, pixel);
      u8[0] = byte(c.r), u8[1] = byte(c.g), u8[2] = byte(c.b);
    }
  return s.shape;
}
