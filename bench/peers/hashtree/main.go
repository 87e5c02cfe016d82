// Piece commitments layer by layer with github.com/prysmaticlabs/gohashtree, the fastest hashing of pairs that others
// have (AVX-512 where the processor has it), for bench/peers/run.py.
//
//	hashtree memory BYTES SEED   commP of random bytes in memory; only the trees are timed
//
// In the peer's favour, Fr32 padding is done before the clock starts, and the layers of a segment stay in the cache.
// Prints one JSON object: {"commp": hex, "payload_bytes": n, "seconds": s}.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/prysmaticlabs/gohashtree"
)

const (
	nodeBytes    = 32
	segmentBytes = 1 << 20 // of padded data; with its layers it fits the second-level cache
)

type report struct {
	Commp        string  `json:"commp"`
	PayloadBytes int     `json:"payload_bytes"`
	Seconds      float64 `json:"seconds"`
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hashtree:", err)
		os.Exit(1)
	}
}

func run(arguments []string) (report, error) {
	if len(arguments) != 3 || arguments[0] != "memory" {
		return report{}, fmt.Errorf("usage: hashtree memory BYTES SEED")
	}
	byteCount, err := strconv.ParseUint(arguments[1], 10, 40)
	if err != nil {
		return report{}, err
	}
	seed, err := strconv.ParseUint(arguments[2], 10, 64)
	if err != nil {
		return report{}, err
	}
	padded := padded(randomBytes(int(byteCount), seed))
	start := time.Now()
	root, err := pieceRoot(padded)
	return report{fmt.Sprintf("%x", root), int(byteCount), time.Since(start).Seconds()}, err
}

// padded is Fr32: each 254 bits of payload become 256, and zeros fill up to a power of two.
func padded(payload []byte) []byte {
	size := 128
	for size/128*127 < len(payload) {
		size *= 2
	}
	in := make([]byte, size/128*127)
	copy(in, payload)
	out := make([]byte, size)
	for node := 0; node < size/nodeBytes; node++ {
		expand(out[node*nodeBytes:(node+1)*nodeBytes], in, node*254)
	}
	return out
}

// expand copies 254 bits that begin at bit firstBit of in.
func expand(node, in []byte, firstBit int) {
	shift := uint(firstBit % 8)
	from := in[firstBit/8:]
	for i := range node {
		value := from[i] >> shift
		if shift > 0 && i+1 < len(from) {
			value |= from[i+1] << (8 - shift)
		}
		node[i] = value
	}
	node[nodeBytes-1] &= 0x3f
}

func pieceRoot(padded []byte) ([]byte, error) {
	roots := make([]byte, 0, len(padded)/segmentBytes*nodeBytes)
	for offset := 0; offset < len(padded); offset += segmentBytes {
		root, err := treeRoot(padded[offset:min(offset+segmentBytes, len(padded))])
		if err != nil {
			return nil, err
		}
		roots = append(roots, root...)
	}
	return treeRoot(roots)
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

var layer = make([]byte, segmentBytes/2)

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

// randomBytes is the xorshift64 sequence of tools/measure.h, so that both programs hash the same bytes.
func randomBytes(byteCount int, seed uint64) []byte {
	random := make([]byte, (byteCount+7)/8*8)
	state := seed*0x9E3779B97F4A7C15 + 1
	for offset := 0; offset < len(random); offset += 8 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		binary.LittleEndian.PutUint64(random[offset:], state)
	}
	return random[:byteCount]
}
