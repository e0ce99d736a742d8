#pragma once
// The declared paths as a tree of keys, and the memory of the order in which the last documents had them.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "text.h"

namespace weir {

// A key as it stood in an earlier document at the same position, closing quote included, ready for one comparison.
struct RememberedKey {
    static constexpr size_t longest = 62;
    uint64_t word[2] = {0, 0};
    // Bits that count. An empty slot asks for NUL bytes, which no string holds raw.
    uint64_t mask[2] = {~uint64_t(0), ~uint64_t(0)};
    uint32_t length = 0;
    int32_t child = -1;
    uint8_t text[longest + 2] = {};

    // `key` stands behind the opening quote and is readable 16 bytes on.
    bool matches(const uint8_t *key) const {
        if (((load8(key) ^ word[0]) & mask[0]) | ((load8(key + 8) ^ word[1]) & mask[1])) return false;
        return length < 16 || std::memcmp(key + 16, text + 16, length + 1 - 16) == 0;
    }

    void remember(const uint8_t *key, size_t key_length, int32_t its_child) {
        if (key_length > longest) return;
        std::memset(text, 0, sizeof text);
        std::memcpy(text, key, key_length);
        text[key_length] = '"';
        uint8_t bits[16] = {};
        std::memset(bits, 0xFF, key_length + 1 < 16 ? key_length + 1 : 16);
        std::memcpy(word, text, 16);
        std::memcpy(mask, bits, 16);
        length = uint32_t(key_length);
        child = its_child;
    }
};

struct Node {
    std::string name;
    std::vector<std::unique_ptr<Node>> children;
    // Columns whose path ends here, and those whose path goes on.
    std::vector<uint32_t> columns;
    std::vector<uint32_t> below;
    bool wants_text = false;
    static constexpr size_t positions = 64;
    std::unique_ptr<RememberedKey[]> memory;

    Node *child(const char *key, size_t length) {
        const int32_t i = find(reinterpret_cast<const uint8_t *>(key), length);
        if (i >= 0) return children[size_t(i)].get();
        if (!memory) memory = std::make_unique<RememberedKey[]>(positions);
        children.push_back(std::make_unique<Node>());
        children.back()->name.assign(key, length);
        return children.back().get();
    }

    int32_t find(const uint8_t *key, size_t length) const {
        for (size_t i = 0; i < children.size(); i++) {
            const std::string &other = children[i]->name;
            if (other.size() == length && std::memcmp(other.data(), key, length) == 0) return int32_t(i);
        }
        return -1;
    }
};

}  // namespace weir
