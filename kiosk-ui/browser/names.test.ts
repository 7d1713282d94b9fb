import { expect, inject, test } from 'vitest';
import { Officer } from './officer.ts';

// Names from lists and from chips (DG11) come in the writing of their country.
// The page brings no font: hwtest/deps/packages names those of the workplace.

const names: Record<string, string> = {
  Arabic: 'عبد الرحمن بن خالد', Persian: 'پژمان گلچین', Hebrew: 'יוסף כהן', Cyrillic: 'Ђорђе Ћосић Їжакевич', Greek: 'Γεώργιος Παπαδόπουλος',
  Georgian: 'გიორგი ბერიძე', Armenian: 'Հայկ Պետրոսյան', Vietnamese: 'Nguyễn Thị Hằng', Turkish: 'Işıl Çağrı Gülşen', Latin: 'Łukasz Ďurčák Ægir Þór',
  Chinese: '欧阳娜娜', Traditional: '歐陽龍', Japanese: '佐藤さくら サトウ', Korean: '김민준',
  Devanagari: 'अमित शर्मा', Bengali: 'রহিম উদ্দিন', Tamil: 'முத்து', Thai: 'สมชาย ใจดี', Ethiopic: 'አበበ ቢቂላ',
};

test('no name is shown in boxes', async () => {
  const officer = await Officer.open(inject('post'));
  const boxes = await officer.page.evaluate((all) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 48;
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    if (!pen) throw new Error('no canvas');
    const drawn = (letter: string): string => {
      pen.clearRect(0, 0, 48, 48);
      pen.font = `32px ${getComputedStyle(document.body).fontFamily}`;
      pen.fillText(letter, 4, 36);
      return canvas.toDataURL();
    };
    const box = drawn('\u{10fffd}'); // for private use: in no font
    const blank = drawn(' ');
    if (box === blank) throw new Error('a missing letter is drawn as nothing: this test would see none');
    return Object.entries(all).flatMap(([writing, name]) => [...name].filter((c) => /\p{L}/u.test(c) && [box, blank].includes(drawn(c))).map((c) => `${writing} ${c}`));
  }, names);
  expect(boxes).toEqual([]);
  await officer.close();
});
