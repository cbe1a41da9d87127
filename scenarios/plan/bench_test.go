package plan

import "testing"

func BenchmarkParse(b *testing.B) {
	src := []byte(readFile(b, "testdata/good/design-example.scn"))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Parse("b.scn", src); err != nil {
			b.Fatal(err)
		}
	}
}
