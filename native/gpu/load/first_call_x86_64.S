/* Where every slot points at first. The id of the function is on the stack, above it the caller's
 * return address: whatever the arguments are, they must arrive untouched, so every register that
 * can carry one is kept (rax counts the vector arguments of a variadic call, r10 is a static
 * chain). */
  .text
  .globl gw_first_call
  .hidden gw_first_call
  .type gw_first_call, @function
gw_first_call:
  .cfi_startproc
  .cfi_def_cfa_offset 16
  push %rax
  push %rdi
  push %rsi
  push %rdx
  push %rcx
  push %r8
  push %r9
  push %r10
  sub $128, %rsp
  .cfi_def_cfa_offset 208
  movaps %xmm0, (%rsp)
  movaps %xmm1, 16(%rsp)
  movaps %xmm2, 32(%rsp)
  movaps %xmm3, 48(%rsp)
  movaps %xmm4, 64(%rsp)
  movaps %xmm5, 80(%rsp)
  movaps %xmm6, 96(%rsp)
  movaps %xmm7, 112(%rsp)
  mov 192(%rsp), %rdi
  call gw_resolve
  mov %rax, %r11
  movaps (%rsp), %xmm0
  movaps 16(%rsp), %xmm1
  movaps 32(%rsp), %xmm2
  movaps 48(%rsp), %xmm3
  movaps 64(%rsp), %xmm4
  movaps 80(%rsp), %xmm5
  movaps 96(%rsp), %xmm6
  movaps 112(%rsp), %xmm7
  add $128, %rsp
  pop %r10
  pop %r9
  pop %r8
  pop %rcx
  pop %rdx
  pop %rsi
  pop %rdi
  pop %rax
  add $8, %rsp
  .cfi_def_cfa_offset 8
  jmp *%r11
  .cfi_endproc
  .size gw_first_call, . - gw_first_call
  .section .note.GNU-stack,"",@progbits
