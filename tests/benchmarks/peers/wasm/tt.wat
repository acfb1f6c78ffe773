;; The plugin of wasmtime. The host writes the text at 64, the plugin answers behind it.
(module
  (import "host" "title" (func $title (param i64) (result i32)))
  (memory (export "memory") 64)
  (data (i32.const 0) "<tt></tt>no post 42")
  ;; (size of the text, role: 0 tt, 1 fail, post's id) -> size of the answer, which is at 64 + size; -n: an error's
  (func (export "process_role") (param $size i32) (param $role i32) (param $id i64) (result i32)
    (local $out i32)
    (local.set $out (i32.add (i32.const 64) (local.get $size)))
    (if (local.get $role)
      (then
        (memory.copy (local.get $out) (i32.const 9) (i32.const 10))
        (return (i32.const -10))))
    (memory.copy (local.get $out) (i32.const 0) (i32.const 4))
    (memory.copy (i32.add (local.get $out) (i32.const 4)) (i32.const 64) (local.get $size))
    (memory.copy (i32.add (i32.add (local.get $out) (i32.const 4)) (local.get $size)) (i32.const 4) (i32.const 5))
    (i32.add (local.get $size) (i32.const 9)))
  ;; asks the host `count` times; the size of the last title, which the host wrote at 64
  (func (export "call_back") (param $count i32) (result i32)
    (local $size i32)
    (loop $again
      (local.set $size (call $title (i64.const 42)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $again (local.get $count)))
    (local.get $size)))
