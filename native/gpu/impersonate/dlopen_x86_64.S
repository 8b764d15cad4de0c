/* dlopen(name, flags), in front of the loader's, with the name that open.c gives it. The loader
 * looks at who called it to know in whose RUNPATH and namespace to search, so it is jumped to. */
  .text
  .globl dlopen
  .type dlopen, @function
dlopen:
  .cfi_startproc
  push %rdi
  push %rsi
  sub $8, %rsp
  .cfi_def_cfa_offset 32
  call gw_dlopen_name
  mov %rax, 16(%rsp)
  call gw_loaders_dlopen
  mov %rax, %r11
  add $8, %rsp
  pop %rsi
  pop %rdi
  .cfi_def_cfa_offset 8
  jmp *%r11
  .cfi_endproc
  .size dlopen, . - dlopen
  .section .note.GNU-stack,"",@progbits
