/* dlopen(name, flags), in front of the loader's, with the name that open.c gives it. The loader
 * looks at who called it to know in whose RUNPATH and namespace to search, so it is jumped to. */
  .text
  .globl dlopen
  .type dlopen, %function
dlopen:
  .cfi_startproc
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset x29, -32
  .cfi_offset x30, -24
  mov x29, sp
  str x1, [sp, #24]
  bl gw_dlopen_name
  str x0, [sp, #16]
  bl gw_loaders_dlopen
  mov x16, x0
  ldp x0, x1, [sp, #16]
  ldp x29, x30, [sp], #32
  .cfi_restore x29
  .cfi_restore x30
  .cfi_def_cfa_offset 0
  br x16
  .cfi_endproc
  .size dlopen, . - dlopen
  .section .note.GNU-stack,"",%progbits
