/* How many bytes an array (a texture) takes, before padding, from the arguments of the call that
 * creates it. The generated hooks call these functions: hooks.txt names them in KEY. */
#ifndef GIVEWAY_GPU_ARRAY_H
#define GIVEWAY_GPU_ARRAY_H

#include "driver.h"

/* CUDA_ARRAY_DESCRIPTOR, HIP_ARRAY_DESCRIPTOR. */
gw_word gw_array_2d(gw_word descriptor);
/* CUDA_ARRAY3D_DESCRIPTOR, HIP_ARRAY3D_DESCRIPTOR; all levels of a mipmapped array together. */
gw_word gw_array_3d(gw_word descriptor, gw_word levels);
/* hipChannelFormatDesc, and an extent. */
gw_word gw_array_of(gw_word channels, gw_word width, gw_word height, gw_word depth, gw_word levels,
                    gw_word flags);

#endif
