;; The plugin of extism: input is role NUL id NUL author NUL text; output is the HTML. Bytes go through extism's own
;; memory in pieces of eight, as its development kits do it.
(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $in8 (param i64) (result i32)))
  (import "extism:host/env" "input_load_u64" (func $in64 (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $put8 (param i64 i32)))
  (import "extism:host/env" "store_u64" (func $put64 (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "<tt></tt>no post 42")
  (func $literal (param $to i64) (param $from i32) (param $size i32)
    (loop $next
      (call $put8 (local.get $to) (i32.load8_u (local.get $from)))
      (local.set $to (i64.add (local.get $to) (i64.const 1)))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (br_if $next (local.get $size))))
  (func (export "process_role") (result i32)
    (local $at i64) (local $nuls i32) (local $size i64) (local $out i64) (local $to i64) (local $end i64)
    (local.set $end (call $length))
    (if (i32.eq (call $in8 (i64.const 0)) (i32.const 102)) ;; f of fail
      (then
        (local.set $out (call $alloc (i64.const 10)))
        (call $literal (local.get $out) (i32.const 9) (i32.const 10))
        (call $error (local.get $out))
        (return (i32.const 1))))
    (loop $find
      (if (i32.eqz (call $in8 (local.get $at))) (then (local.set $nuls (i32.add (local.get $nuls) (i32.const 1)))))
      (local.set $at (i64.add (local.get $at) (i64.const 1)))
      (br_if $find (i32.lt_u (local.get $nuls) (i32.const 3))))
    (local.set $size (i64.add (i64.sub (local.get $end) (local.get $at)) (i64.const 9)))
    (local.set $out (call $alloc (local.get $size)))
    (call $literal (local.get $out) (i32.const 0) (i32.const 4))
    (local.set $to (i64.add (local.get $out) (i64.const 4)))
    (block $rest
      (loop $eight
        (br_if $rest (i64.gt_u (i64.add (local.get $at) (i64.const 8)) (local.get $end)))
        (call $put64 (local.get $to) (call $in64 (local.get $at)))
        (local.set $to (i64.add (local.get $to) (i64.const 8)))
        (local.set $at (i64.add (local.get $at) (i64.const 8)))
        (br $eight)))
    (block $done
      (loop $one
        (br_if $done (i64.ge_u (local.get $at) (local.get $end)))
        (call $put8 (local.get $to) (call $in8 (local.get $at)))
        (local.set $to (i64.add (local.get $to) (i64.const 1)))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $one)))
    (call $literal (local.get $to) (i32.const 4) (i32.const 5))
    (call $output (local.get $out) (local.get $size))
    (i32.const 0)))
