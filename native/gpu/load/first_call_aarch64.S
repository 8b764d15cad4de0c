/* Where every slot points at first. The id of the function is in w17, the caller's return address
 * in x30: whatever the arguments are, they must arrive untouched, so every register that can carry
 * one is kept (x8 is the address of a structure that is returned; x15 and x18 are static chains).
 * No function of a driver takes scalable vectors, which are longer than what is kept here. */
  .text
  .globl gw_first_call
  .hidden gw_first_call
  .type gw_first_call, %function
gw_first_call:
  .cfi_startproc
  stp x29, x30, [sp, #-240]!
  .cfi_def_cfa_offset 240
  .cfi_offset x29, -240
  .cfi_offset x30, -232
  mov x29, sp
  stp x0, x1, [sp, #16]
  stp x2, x3, [sp, #32]
  stp x4, x5, [sp, #48]
  stp x6, x7, [sp, #64]
  stp x8, x15, [sp, #80]
  str x18, [sp, #96]
  stp q0, q1, [sp, #112]
  stp q2, q3, [sp, #144]
  stp q4, q5, [sp, #176]
  stp q6, q7, [sp, #208]
  mov w0, w17
  bl gw_resolve
  mov x16, x0
  ldp x0, x1, [sp, #16]
  ldp x2, x3, [sp, #32]
  ldp x4, x5, [sp, #48]
  ldp x6, x7, [sp, #64]
  ldp x8, x15, [sp, #80]
  ldr x18, [sp, #96]
  ldp q0, q1, [sp, #112]
  ldp q2, q3, [sp, #144]
  ldp q4, q5, [sp, #176]
  ldp q6, q7, [sp, #208]
  ldp x29, x30, [sp], #240
  .cfi_restore x29
  .cfi_restore x30
  .cfi_def_cfa_offset 0
  br x16
  .cfi_endproc
  .size gw_first_call, . - gw_first_call
  .section .note.GNU-stack,"",%progbits
