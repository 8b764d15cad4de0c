/* dlsym(handle, name), in front of the loader's. The loader looks at who called it to know what is
 * next (RTLD_NEXT) and in whose scope to look (RTLD_DEFAULT), so it is jumped to: what it finds in
 * x30 is its caller's own return address. */
  .text
  .globl dlsym
  .type dlsym, %function
dlsym:
  .cfi_startproc
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset x29, -32
  .cfi_offset x30, -24
  mov x29, sp
  stp x0, x1, [sp, #16]
  bl gw_dlsym_hook
  cbnz x0, .Lfound
  bl gw_loaders_dlsym
  mov x16, x0
  ldp x0, x1, [sp, #16]
  .cfi_remember_state
  ldp x29, x30, [sp], #32
  .cfi_restore x29
  .cfi_restore x30
  .cfi_def_cfa_offset 0
  br x16
.Lfound:
  .cfi_restore_state
  ldp x29, x30, [sp], #32
  .cfi_restore x29
  .cfi_restore x30
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc
  .size dlsym, . - dlsym
  .section .note.GNU-stack,"",%progbits
