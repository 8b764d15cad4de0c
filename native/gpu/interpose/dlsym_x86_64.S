/* dlsym(handle, name), in front of the loader's. The loader looks at who called it to know what is
 * next (RTLD_NEXT) and in whose scope to look (RTLD_DEFAULT), so it is jumped to: what it finds on
 * the stack is its caller's own return address. */
  .text
  .globl dlsym
  .type dlsym, @function
dlsym:
  .cfi_startproc
  push %rdi
  push %rsi
  sub $8, %rsp
  .cfi_def_cfa_offset 32
  call gw_dlsym_hook
  test %rax, %rax
  jnz .Lfound
  call gw_loaders_dlsym
  mov %rax, %r11
  add $8, %rsp
  pop %rsi
  pop %rdi
  .cfi_def_cfa_offset 8
  jmp *%r11
.Lfound:
  .cfi_def_cfa_offset 32
  add $24, %rsp
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
  .size dlsym, . - dlsym
  .section .note.GNU-stack,"",@progbits
