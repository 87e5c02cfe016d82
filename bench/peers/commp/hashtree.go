// gohashtree, the fastest hashing of pairs that others have, layer by layer.
//
// In the peer's favour: where the processor has AVX-512 and SHA-NI, the library takes SHA-NI, which is half as fast, and
// is made to take AVX-512 here; a segment and its layers stay in the cache.
package main

import (
	"encoding/binary"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/prysmaticlabs/gohashtree"
)

const (
	payloadGroupBytes, groupBytes = 127, 128 // before and after Fr32
	nodeBytes                     = 32
	segmentBytes                  = 1 << 20 // of padded data; with its layers it fits the second-level cache
)

//go:linkname hasAVX512 github.com/prysmaticlabs/gohashtree.hasAVX512
var hasAVX512 bool

//go:linkname hasShani github.com/prysmaticlabs/gohashtree.hasShani
var hasShani bool

// hashLayers commits to the payload. The report's hashing seconds are without those of Fr32.
func hashLayers(payload []byte) (report, error) {
	hasShani = hasShani && !hasAVX512
	source := make([]byte, paddedBytes(len(payload))/groupBytes*payloadGroupBytes)
	copy(source, payload)
	var fr32 time.Duration
	start := time.Now()
	root, err := pieceRoot(source, &fr32)
	result := reportOf(root, int64(len(payload)), start)
	result.HashingSeconds = result.Seconds - fr32.Seconds()
	return result, err
}

func paddedBytes(payloadBytes int) int {
	size := groupBytes
	for size/groupBytes*payloadGroupBytes < payloadBytes {
		size *= 2
	}
	return size
}

func pieceRoot(source []byte, fr32 *time.Duration) ([]byte, error) {
	var roots []byte
	for len(source) > 0 {
		payload := source[:min(len(source), segmentBytes/groupBytes*payloadGroupBytes)]
		source = source[len(payload):]
		padded := segment[:len(payload)/payloadGroupBytes*groupBytes]
		start := time.Now()
		pad(padded, payload)
		*fr32 += time.Since(start)
		root, err := treeRoot(padded)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root...)
	}
	return treeRoot(roots)
}

// pad is Fr32, 64 bits at a time: each 254 bits of payload become 256. Both are whole groups.
func pad(padded, payload []byte) {
	for len(payload) > 0 {
		in, out := payload[:payloadGroupBytes:payloadGroupBytes], padded[:groupBytes:groupBytes]
		for word := 0; word < 4; word++ {
			at := 8 * word
			put(out[at:], load(in[at:]))
			put(out[32+at:], load(in[31+at:])>>6|uint64(in[39+at])<<58)
			put(out[64+at:], load(in[63+at:])>>4|uint64(in[71+at])<<60)
		}
		for word := 0; word < 3; word++ {
			at := 8 * word
			put(out[96+at:], load(in[95+at:])>>2|uint64(in[103+at])<<62)
		}
		put(out[120:], load(in[119:])>>2)
		for last := nodeBytes - 1; last < groupBytes; last += nodeBytes {
			out[last] &= 0x3f
		}
		payload, padded = payload[payloadGroupBytes:], padded[groupBytes:]
	}
}

func load(bytes []byte) uint64       { return binary.LittleEndian.Uint64(bytes) }
func put(bytes []byte, value uint64) { binary.LittleEndian.PutUint64(bytes, value) }

var segment, layer = make([]byte, segmentBytes), make([]byte, segmentBytes/2)

// treeRoot hashes layer after layer; the two topmost bits of every node are zero.
func treeRoot(nodes []byte) ([]byte, error) {
	for len(nodes) > nodeBytes {
		above := layer[:len(nodes)/2]
		if err := gohashtree.HashByteSlice(above, nodes); err != nil {
			return nil, err
		}
		for last := nodeBytes - 1; last < len(above); last += nodeBytes {
			above[last] &= 0x3f
		}
		nodes = above
	}
	return append([]byte(nil), nodes...), nil
}
