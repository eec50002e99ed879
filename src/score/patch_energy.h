/* patch_energy.h - how much of the images' contrast repeats from patch to patch: a net whose patches do not join shows their
 * grid (EXPECTATIONS F12).
 * Of an image of N x N pixels in patches of p x p: the part of its spectral energy without the mean that lies at the patch period
 * and its harmonics, frequencies that are multiples of N/p along both sides. By Parseval that is what is left of the contrast
 * when the patches are laid upon each other:
 *   f[k,l] = (p/N)^2 sum_{a,b} x[a p + k, b p + l],   energy = var f / var x,
 * variances over the pixels of each channel, added up over channels and images.
 * Memory: none. Errors: none. Ranks: local. */
#ifndef SCORE_PATCH_ENERGY_H
#define SCORE_PATCH_ENERGY_H
#include <stddef.h>
#include <stdint.h>

/* Of u8[n,N,N,channels], p a divisor of N: 0 .. 1; 0 where the images have no contrast. */
double patch_energy(const uint8_t *u8, size_t n, size_t N, size_t channels, size_t p);
/* Whether samples of this energy show a grid, where images of the data have that of `data`. */
int patch_energy_shows(double samples, double data);
#endif
