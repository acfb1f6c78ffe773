package main

import "testing"

// rot13 moves ASCII letters only, and twice is once round.
func TestRot13(t *testing.T) {
	for r := rune(0); r < 0x250; r++ {
		if rot13(rot13(r)) != r {
			t.Errorf("%q twice is %q", r, rot13(rot13(r)))
		}
	}
	for from, to := range map[rune]rune{'a': 'n', 'z': 'm', 'N': 'A', 'é': 'é', '5': '5'} {
		if got := rot13(from); got != to {
			t.Errorf("%q became %q, want %q", from, got, to)
		}
	}
}
